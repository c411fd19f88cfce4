"""The samples page, without a browser."""

from tests.web.fake_trainings import samples, training


def test_without_a_training_the_page_says_what_to_do_and_still_traces(client):
    page = client.get("/d/cats/samples").text
    assert "python -m tasks run --dataset cats" in page
    assert 'id="trace-form"' in page
    assert 'id="draw"' not in page


def test_the_newest_training_comes_first(client, fake_dataset):
    for name in ("one", "two"):
        key = training(fake_dataset, name)
    page = client.get("/d/cats/samples").text
    assert page.index("002-dcgan-16px") < page.index("001-dcgan-16px")
    assert f'value="{key[:12]}"' in page
    assert "has made no samples of this dataset yet" in page


def test_unfinished_trainings_have_no_generator_to_choose(client, fake_dataset):
    training(fake_dataset, finished=False)
    assert "no training has finished" in client.get("/d/cats/samples").text


def test_names_are_escaped(client, fake_dataset):
    samples(fake_dataset, training(fake_dataset, definition="<script>alert(1)</script>"))
    assert "<script>alert" not in client.get("/d/cats/samples").text
