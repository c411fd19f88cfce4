"""When a crawl is over."""

from types import SimpleNamespace

from pipeline.crawl.crawler import PictureCrawler


def test_a_crawl_goes_on_if_the_parser_ends_just_after_it_found_another_picture():
    frontier = SimpleNamespace(found=5, settled=5)

    def is_alive():
        frontier.found = 6
        return False

    crawler = object.__new__(PictureCrawler)
    crawler.frontier, crawler.parser = frontier, SimpleNamespace(is_alive=is_alive)
    assert crawler._is_at_work()
