"""Comma- and tab-separated files."""

from __future__ import annotations

import pytest

from tests.data_sets.helpers import labels, read, signature
from tfpare.data.types import DataError, SkipLog

TEXT = signature(text=("string", (None,)))


def test_text_and_labels(tmp_path):
    (tmp_path / "a.csv").write_text('\ufefftext,label\n"one, ""two""",1\nthrée,0\n\n"a\nb",1\n', encoding="utf-8")
    batch = read(tmp_path / "a.csv", TEXT)[0]
    assert batch.feeds["text"].tolist() == [b'one, "two"', "thrée".encode(), b"a\nb"]
    assert batch.labels.tolist() == [1, 0, 1]
    assert batch.names == ("a.csv line 2", "a.csv line 3", "a.csv line 6")


def test_quotes_are_text_between_tabs(tmp_path):
    (tmp_path / "a.tsv").write_text('sentence\tlabel\n"so\t1\n')
    assert read(tmp_path / "a.tsv", TEXT)[0].feeds["text"].tolist() == [b'"so']


def test_columns_without_header(tmp_path):
    (tmp_path / "a.tsv").write_text("spam\thello\nham\tyou\n")
    batch = read(tmp_path / "a.tsv", TEXT, columns=("label", "text"), classes=("ham", "spam"))[0]
    assert batch.labels.tolist() == [1, 0]
    assert batch.feeds["text"].tolist() == [b"hello", b"you"]


def test_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("a,target,b,c\n1,0.5,2,3\n4,1e-3,5,6\n")
    batch = read(tmp_path / "a.csv", signature(x=("float32", (None, 3))))[0]
    assert batch.feeds["x"].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert batch.labels.tolist() == [0.5, 0.001]
    batch = read(tmp_path / "a.csv", signature(a=("int32", (None,)), c=("float32", (None,))))[0]
    assert batch.feeds["a"].tolist() == [1, 4]


def test_whole_numbers_and_others_are_all_numbers(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,0.5\n")
    assert labels(read(tmp_path / "a.csv", TEXT)) == [1, 0.5]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"text,label\none,1\ntwo\n", "a.csv line 3: it has 1 cells, there are 2 columns"),
        (b"text,label\n\xff\xfe,1\n", "a.csv line 2: it is not UTF-8"),
        (b"text,label\none,nan\n", "a.csv line 2: the label is NaN"),
        (b"", "no header"),
        (b"text,text\n", "no header"),
        (b"words,length,label\n", "no 'text' for the input 'text'"),
        (b"text,label\n", "There is no sample"),
        (b"text,label\na,1\nb,spam\n", "some labels are names and others numbers"),
    ],
)
def test_refuses(tmp_path, content, says):
    (tmp_path / "a.csv").write_bytes(content)
    with pytest.raises(DataError, match=says):
        read(tmp_path / "a.csv", TEXT)


def test_bad_lines_are_skipped(tmp_path):
    (tmp_path / "a.csv").write_text("text,label\none,1\ntwo\nthree,0\n")
    log = SkipLog(1)
    assert labels(read(tmp_path / "a.csv", TEXT, skipped=log)) == [1, 0]
    assert "line 3" in log.messages[0]


def test_words_where_numbers_are_wanted(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,x\n")
    with pytest.raises(DataError, match=r"a.csv line 2: the input 'x' takes numbers"):
        read(tmp_path / "a.csv", signature(x=("float32", (None, 2))))
