from pipeline.gan.config import Definition, differences, read_definition


def test_differences_of_the_defaults_are_empty(write):
    assert differences(Definition()) == []
    assert differences(read_definition(write({"latent": 100, "description": "mine", "generator": {"width": 32}}))) == []


def test_differences_have_value_default_and_meaning(write):
    (found,) = differences(read_definition(write({"generator": {"attention": [32]}})))
    assert (found.key, found.value, found.default) == ("generator.attention", [32], [])
    assert "self-attention" in found.meaning


def test_meaning_begins_with_that_of_the_part(write):
    tree = {"penalties": {"r1": {"weight": 2}}, "discriminator": {"norm": "none"}}
    norm, penalty = differences(read_definition(write(tree)))
    assert norm.key == "discriminator.norm"
    assert penalty.meaning == "half the squared slope on reals (Mescheder 2018); 0: none"
