"""Prints the digit that is spoken in a sound file.

    python digit.py FILE
"""

from __future__ import annotations

import sys

from decavox import DigitPredictor

predictor = DigitPredictor("lightweight")
digit, confidence = predictor.predict(sys.argv[1])
print(f"Predicted: {digit} (confidence: {confidence:.3f})")
