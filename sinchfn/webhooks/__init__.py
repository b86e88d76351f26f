"""Webhooks other than voice callbacks: the Conversation API and ElevenLabs agents."""
