"""`POST /v1/audio/speech/preview`: what will be said of a text, before any sound is made."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from vall_e_core import InputError, UsageError
from vall_e_text import Lexicon, estimate_seconds, known_punctuation, readable, split
from vall_e_tts import SpeechOptions, SpeechRequest

from .bodies import read_json
from .errors import HttpError, line
from .fields import PreviewFields, read_fields
from .lexicon import split_lexicon
from .server import Server, require
from .speech import ROUTE as SPEECH
from .speech import check_length, ignored_fields

ROUTE = f"{SPEECH}/preview"
_MOST_UNKNOWN = 20


async def preview(request: Request) -> Response:
    """The words and phonemes of a text. The engine isn't asked."""
    visit = require(request, "speak")
    visit.route = ROUTE
    server = Server.of(request)
    body = await read_json(request, server.options.stall_seconds)
    body, lexicon = split_lexicon(body)
    fields, unknown = read_fields(PreviewFields, body)
    ignored_fields(server, unknown)
    check_length(server, fields.input)
    visit.note(characters=len(fields.input))
    return JSONResponse(await server.work(_previewed, server, fields, lexicon), headers={"Cache-Control": "no-store"})


def _previewed(server: Server, fields: PreviewFields, lexicon: Lexicon | None) -> dict[str, Any]:
    """The text's parts as they are read aloud. Raises HttpError for a text that can't be spoken."""
    engine = server.engine
    request = SpeechRequest(fields.input, options=SpeechOptions(language=fields.language), lexicon=lexicon)
    warnings: list[str] = []
    try:
        prepared = request.prepare(server.registry)
        found = readable(prepared.front, split(prepared.pieces), warnings)
    except InputError as error:
        raise HttpError(400, line(error), code="bad_text", param="input") from error
    except UsageError as error:
        raise HttpError(400, line(error), code="bad_request", param="language") from error
    parts = [
        {
            "text": segment.text, "spoken": segment.spoken, "phonemes": phonemes, "span": list(segment.span),
            "pause": segment.pause, "paragraph": segment.paragraph, "rate": segment.rate,
        }
        for segment, phonemes in found
    ]  # fmt: skip
    tokenizer = engine.loaded.tokenizer
    strange: list[str] = []
    if tokenizer is not None:
        known = (known_punctuation(phonemes, tokenizer.pieces) for _, phonemes in found)
        strange = list(dict.fromkeys(char for each in known for char in tokenizer.unknown(each)))
    return {
        "object": "audio.speech.preview", "language": prepared.language, "markup": prepared.reading.markup,
        "spoken": " ".join(segment.spoken for segment, _ in found),
        "phonemes": " ".join(phonemes for _, phonemes in found),
        "seconds": round(sum(estimate_seconds(segment.spoken) for segment, _ in found), 1),
        "parts": parts, "unknown_phonemes": strange[:_MOST_UNKNOWN],
        "warnings": [*prepared.warnings, *warnings],
    }  # fmt: skip
