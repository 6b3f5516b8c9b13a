"""How many files in legacy encodings are read as they were written, here and by the libraries alone.

    python -m benchmarks.encodings

Files of eight product reviews (`tests/data/reviews.py`), whole, and with nothing outside ASCII but their labels. charset-normalizer is counted
where it is installed.
"""

import io

from tests.data.reviews import LEGACY, REVIEWS, reviews_csv

from superfine.data.encodings import detect_encoding


def with_labels_alone(language: str) -> str:
    names = REVIEWS[language][0].split(",")
    rows = [f"row {i} is plain ascii words here,{names[i % len(names)]}" for i in range(8)]
    return "\n".join(["text,label", *rows]) + "\n"


def reads(content: bytes, codec: str | None, text: str) -> bool:
    try:
        return codec is not None and content.decode(codec) == text
    except (UnicodeError, LookupError):
        return False


def main() -> None:
    import chardet

    try:
        from charset_normalizer import from_bytes
    except ImportError:
        from_bytes = None
    for kind, make in (("whole", reviews_csv), ("labels alone", with_labels_alone)):
        right = {"superfine": 0, "chardet": 0, "charset-normalizer": 0}
        n = said = 0
        for language, codecs in LEGACY.items():
            text = make(language)
            if text.isascii():
                continue
            for codec in codecs.split():
                content = text.encode(codec)
                n += 1
                found = detect_encoding("file", io.BytesIO(content))
                is_right = reads(content, found.codec, text)
                right["superfine"] += is_right
                said += not is_right and bool(found.doubt)
                right["chardet"] += reads(content, chardet.detect(content)["encoding"], text)
                best = from_bytes(content).best() if from_bytes else None
                right["charset-normalizer"] += best is not None and str(best) == text
        print(f"{kind}: {n} files, read as written: {right}; wrong with the doubt said: {said}")


if __name__ == "__main__":
    main()
