# TensorFlow has no type information; inferring it from its source takes a minute and finds little.
# A sub-package that tfpare imports from needs a folder with such a file.
from typing import Any

def __getattr__(name: str) -> Any: ...
