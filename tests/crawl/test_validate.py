"""The options of each source are validated before a crawl, and the local content that a source reads has a digest."""

import pytest

from pipeline import demo
from pipeline.crawl.download import download
from pipeline.crawl.url_list import UrlList
from pipeline.crawl.validate import content_inputs
from pipeline.errors import UserError
from pipeline.options import DownloadOptions


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"sources": ()}, "sources is empty"),
        ({"sources": ("bing",)}, "source 'bing' needs a search term: set query"),
        ({"sources": ("openverse",), "query": (" ",)}, "source 'openverse' needs a search term"),
        ({"sources": ("site",)}, "site = ''.*for example"),
        ({"sources": ("site",), "site": "a.example"}, "site = 'a.example'.*https://"),
        ({"sources": ("urls",)}, "urls = ''.*no such file"),
        ({"sources": ("urls",), "urls": "missing.txt"}, "'missing.txt'.*no such file"),
        ({"sources": ("folder",), "folder": "missing"}, "'missing'.*no such folder"),
        ({"sources": ("folder",)}, "folder = ''.*no such folder"),
        ({"sources": ("imagefolder",)}, "imagefolder = ''.*no such folder"),
        ({"sources": ("imagefolder",), "imagefolder": "missing"}, "imagefolder = 'missing'.*no such folder"),
        ({"sources": ("webdataset",), "webdataset": "missing"}, "webdataset = 'missing'.*no such folder"),
        ({"user_agent": "ピカ", "query": ("x",)}, "user_agent"),
    ],
)
def test_missing_option_raises_user_error_before_the_crawl(tmp_path, wanted, says):
    options = DownloadOptions(**wanted)
    for use in (
        lambda: content_inputs(options, tmp_path / "dataset"),
        lambda: download(options, dataset=tmp_path / "dataset", folder=tmp_path / "folder"),
    ):
        with pytest.raises(UserError, match=says) as caught:
            use()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "dataset").exists()


def test_empty_folder_empty_list_and_dataset_folder_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    (tmp_path / "urls.txt").write_text("# nothing\n")
    for wanted, says in (
        ({"sources": ("folder",), "folder": str(tmp_path / "empty")}, "is empty"),
        ({"sources": ("urls",), "urls": str(tmp_path / "urls.txt")}, "contains no URL"),
        ({"sources": ("folder",), "folder": str(tmp_path)}, "contains the dataset"),
    ):
        with pytest.raises(UserError, match=says):
            content_inputs(DownloadOptions(**wanted), tmp_path / "dataset")


@pytest.mark.parametrize(
    ("source", "files", "columns", "says"),
    [
        ("webdataset", {"notes.md": ""}, (), "there are neither tar files nor pictures; name a folder with shards"),
        ("imagefolder", {}, (), "the folder is empty"),
        ("imagefolder", {"metadata.csv": "name,text\n"}, (), "imagefolder', metadata.csv: no column is called file:"),
        ("imagefolder", {"metadata.csv": "file,txt\n"}, ("title=text",), "there are the columns file, txt; did you"),
        ("urls", {"list.csv": "url,text\n"}, ("title=txt",), "there are the columns url, text; did you mean 'text'?"),
        ("urls", {"list.parquet": "PAR1"}, (), "list.parquet': "),
    ],
)
def test_what_has_no_pictures_or_not_the_columns_is_refused(tmp_path, source, files, columns, says):
    (tmp_path / "in").mkdir()
    for name, content in files.items():
        (tmp_path / "in" / name).write_text(content)
    path = str(tmp_path / "in" / next(iter(files), "")) if source == "urls" else str(tmp_path / "in")
    options = DownloadOptions(sources=(source,), columns=columns, **{source: path})
    with pytest.raises(UserError) as caught:
        content_inputs(options, tmp_path / "dataset")
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_list_that_may_not_be_read_is_one_line(tmp_path, monkeypatch):
    (tmp_path / "urls.txt").touch()
    monkeypatch.setattr(UrlList, "check", lambda *_: tmp_path.read_bytes())  # as root may read every file
    with pytest.raises(UserError, match=r"urls\.txt': it cannot be read \(Is a directory\)"):
        content_inputs(DownloadOptions(sources=("urls",), urls=str(tmp_path / "urls.txt")), tmp_path / "dataset")


@pytest.mark.parametrize("source", ["imagefolder", "webdataset"])
def test_digest_of_a_folder_depends_on_its_content(tmp_path, pictures, responders, source):
    options = DownloadOptions(sources=(source,), **{source: str(pictures)})
    before = content_inputs(options, tmp_path / "dataset")
    (pictures / "b.png").touch()
    assert content_inputs(options, tmp_path / "dataset") == before
    (pictures / "metadata.jsonl").write_text('{"file_name": "b.png"}\n')
    assert content_inputs(options, tmp_path / "dataset") != before


def test_digest_of_one_shard_depends_on_it_and_on_what_is_known_of_it(tmp_path):
    options = DownloadOptions(sources=("webdataset",), webdataset=str(tmp_path / "7.tar"))
    digests = set()
    for name, content in (("7.tar", "a"), ("7.tar", "b"), ("7.parquet", "c"), ("7_stats.json", "d"), ("8.tar", "e")):
        (tmp_path / name).write_text(content)
        digests.add(content_inputs(options, tmp_path / "dataset")["webdataset"])
    assert len(digests) == 4


def test_folder_digest_depends_on_names_and_bytes_only(tmp_path, pictures, responders):
    options = DownloadOptions(sources=("folder", "bing"), folder=str(pictures), query=("x",))
    before = content_inputs(options, tmp_path / "dataset")
    (pictures / "b.png").touch()
    touched = content_inputs(options, tmp_path / "dataset")
    (pictures / "b.png").rename(pictures / "c.png")
    renamed = content_inputs(options, tmp_path / "dataset")
    (pictures / "c.png").write_bytes(responders.png(7))
    edited = content_inputs(options, tmp_path / "dataset")
    assert list(before) == ["folder"]
    assert before == touched
    assert len({inputs["folder"] for inputs in (before, renamed, edited)}) == 3


def test_url_list_digest_depends_on_content(tmp_path):
    listed = tmp_path / "urls.txt"
    options = DownloadOptions(sources=("urls",), urls=str(listed))
    digests = set()
    for text in ("http://a.example/1", "http://a.example/2"):
        listed.write_text(text)
        digests.add(content_inputs(options, tmp_path)["urls"])
    assert len(digests) == 2


def test_demo_input_depends_on_number_of_pictures_and_version(tmp_path, monkeypatch):
    options = DownloadOptions(sources=("demo",), demo_pictures=40)
    more = DownloadOptions(sources=("demo",), demo_pictures=41)
    before = content_inputs(options, tmp_path)
    assert content_inputs(options, tmp_path) == before != content_inputs(more, tmp_path)
    monkeypatch.setattr(demo, "VERSION", demo.VERSION + 1)
    assert content_inputs(options, tmp_path) != before
