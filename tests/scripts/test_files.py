from pathlib import Path

from scripts.files import main, mend


def test_a_text_file_ends_with_one_newline(tmp_path: Path) -> None:
    for content in (b"a", b"a\n\n\n", b"a \n"):
        (tmp_path / "a.txt").write_bytes(content)
        assert "mended" in mend(tmp_path / "a.txt")[0]
        assert (tmp_path / "a.txt").read_bytes() == b"a\n"


def test_good_empty_and_binary_files_stay_as_they_are(tmp_path: Path) -> None:
    for content in (b"a\n", b"", b"\0\n\n"):
        (tmp_path / "a").write_bytes(content)
        assert main([str(tmp_path / "a")]) == 0
        assert (tmp_path / "a").read_bytes() == content


def test_a_large_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "big.bin").write_bytes(b"x" * 251_000)
    assert "251 kB" in mend(tmp_path / "big.bin")[0]
    assert main([str(tmp_path / "big.bin")]) == 1
