"""What Smart Conversations found in a message: `AnalysisResults`, five arrays of results of machine learning."""

from __future__ import annotations

from typing import Literal

from marshmallow import fields

from ..payloads import Known, Number, Part, Parts, Texts, Wire, WireObject


class Sentiment(WireObject):
    """How likely one mood is."""

    _shown = "sentiment"

    #: `POSITIVE`, `NEGATIVE`, `NEUTRAL`.
    sentiment = Wire("sentiment", Known[Literal["POSITIVE", "NEGATIVE", "NEUTRAL"]]())
    #: 0 to 1.
    score = Wire("score", Number())


class SentimentResult(Sentiment):
    """The mood of a message: the most likely one, and all of them."""

    #: The text that was looked at.
    message = Wire("message", fields.String())
    #: All moods.
    results = Wire("results", Parts(Sentiment))


class Intent(WireObject):
    """How likely one intention is."""

    _shown = "intent"

    #: Such as `chitchat.greeting`.
    intent = Wire("intent", fields.String())
    #: 0 to 1.
    score = Wire("score", Number())


class NluResult(Intent):
    """What the contact wants: the most likely intention, and all of them."""

    #: The text that was looked at.
    message = Wire("message", fields.String())
    #: All intentions.
    results = Wire("results", Parts(Intent))


class DocumentClassification(WireObject):
    """What kind of document a picture shows."""

    _shown = "doc_type"

    #: Kind of document.
    doc_type = Wire("doc_type", fields.String())
    #: 0 to 1.
    confidence = Wire("confidence", Number())


class RecognizedSection(WireObject):
    """A part of a picture with text in it."""

    _shown = "where"

    #: The texts.
    data = Wire("data", Texts())


class OpticalCharacterRecognition(WireObject):
    """The texts of a picture."""

    _shown = "where"

    #: Part by part.
    result = Wire("result", Parts(RecognizedSection))


class DocumentFields(WireObject):
    """The fields of a document: any names, as in `fields["name"]["data"]`."""

    _shown = "where"


class DocumentFieldClassification(WireObject):
    """The fields of the documents in a picture."""

    _shown = "where"

    #: Document by document.
    result = Wire("result", Parts(DocumentFields))


class ImageRecognitionResult(WireObject):
    """What is in a picture."""

    _shown = "where"

    #: The picture.
    url = Wire("url", fields.String())
    #: Which kind of document it is.
    document_image_classification = Wire("document_image_classification", Part(DocumentClassification))
    #: Its texts.
    optical_character_recognition = Wire("optical_character_recognition", Part(OpticalCharacterRecognition))
    #: Its fields.
    document_field_classification = Wire("document_field_classification", Part(DocumentFieldClassification))


class PiiResult(WireObject):
    """Personal data in a message."""

    _shown = "where"

    #: The text that was looked at.
    message = Wire("message", fields.String())
    #: The same without the personal data.
    masked = Wire("masked", fields.String())


class OffensiveAnalysisResult(WireObject):
    """Whether a message or picture offends."""

    _shown = "evaluation"

    #: The text that was looked at.
    message = Wire("message", fields.String())
    #: The picture that was looked at.
    url = Wire("url", fields.String())
    #: `SAFE` or `UNSAFE`.
    evaluation = Wire("evaluation", Known[Literal["SAFE", "UNSAFE"]]())
    #: 0 to 1.
    score = Wire("score", Number())


class AnalysisResults(WireObject):
    """All that was found; what was not looked for is None."""

    _shown = "where"

    #: Mood.
    ml_sentiment_result = Wire("ml_sentiment_result", Parts(SentimentResult))
    #: Intention.
    ml_nlu_result = Wire("ml_nlu_result", Parts(NluResult))
    #: Pictures.
    ml_image_recognition_result = Wire("ml_image_recognition_result", Parts(ImageRecognitionResult))
    #: Personal data.
    ml_pii_result = Wire("ml_pii_result", Parts(PiiResult))
    #: Offence.
    ml_offensive_analysis_result = Wire("ml_offensive_analysis_result", Parts(OffensiveAnalysisResult))
