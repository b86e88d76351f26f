"""An export of every kind; each answers its own name."""


def _say(name):
    return {"instructions": [{"name": "say", "text": name}]}


def ice(context, data):
    return _say("ice")


def pie(context, data):
    return _say("pie")


def conversation_webhook(context, request):
    return {"said": "conversation_webhook"}


def elevenLabsWebhook(context, request):
    return {"said": "elevenLabsWebhook"}


def users(context, request):
    return {"said": "users"}


def user_profile(context, request):
    return {"said": "user_profile"}


def status(context, request):
    return {"said": "status"}


def home(context, request):
    return {"said": "home"}
