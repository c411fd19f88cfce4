"""Files of IBM's gan-toolkit, in the shapes that its own examples have."""

import itertools
from typing import Any

import pytest

from pipeline.errors import UserError
from pipeline.gan.config import Definition, read
from pipeline.gan.config.ibm_toolkit import CHOICES, LOSSES


def networks(generator: Any = "dcgan", discriminator: Any = "dcgan", **others: Any) -> dict[str, Any]:
    """A gan-toolkit file that chooses two networks; each is a name, or an object with more fields."""
    chosen = {"generator": generator, "discriminator": discriminator}
    return {key: {"choice": value} if isinstance(value, str) else value for key, value in chosen.items()} | others


@pytest.fixture
def translated(write):
    """Reads a file; returns the definition and its warnings."""

    def translated(tree: Any) -> tuple[Definition, list[str]]:
        reading = read(write(tree))
        assert all(line.isprintable() for line in reading.warnings)
        return reading.definition, list(reading.warnings)

    return translated


def test_dcgan_translates_without_warnings(translated):
    found, warnings = translated(networks("dcgan", "dcgan"))
    assert warnings == []
    assert (found.loss, found.latent, found.batch) == ("non_saturating", 100, 64)
    assert (found.generator.norm, found.discriminator.norm) == ("batch", "batch")
    assert (found.augment.policies, found.ema.half_life) == ((), 0.0)


@pytest.mark.parametrize(
    ("choice", "loss", "clip", "penalty", "steps", "optimizer", "rate"),
    [
        ("gan", "non_saturating", 0, 0, 1, "adam", 2e-4),
        ("dcgan", "non_saturating", 0, 0, 1, "adam", 2e-4),
        ("cgan", "least_squares", 0, 0, 1, "adam", 2e-4),
        ("wgan", "wasserstein", 0.01, 0, 5, "rmsprop", 5e-5),
        ("wgan_gp", "wasserstein", 0, 10, 5, "adam", 2e-4),
    ],
)
def test_missing_fields_get_the_defaults_of_the_toolkit(
    translated, choice, loss, clip, penalty, steps, optimizer, rate
):
    found, _ = translated(networks(choice, choice))
    assert found.loss == loss
    assert (found.penalties.clip, found.penalties.gradient.weight) == (clip, penalty)
    assert found.balance.discriminator_steps == steps
    for network in (found.generator, found.discriminator):
        assert (network.optimizer.name, network.optimizer.learning_rate) == (optimizer, rate)


def test_adam_for_a_wgan_gets_the_betas_of_the_toolkit(translated):
    adam = {"choice": "Adam", "learning_rate": 0.001}
    found = translated(networks({"choice": "wgan", "optimizer": adam}, "wgan"))[0].generator.optimizer
    assert (found.name, found.learning_rate, found.beta_1, found.beta_2) == ("adam", 0.001, 0.5, 0.999)


@pytest.mark.parametrize("given", [{"latent_dim": 64}, {"latent_dim": "64"}, {"latent_dim": 64.0}])
def test_numbers_may_be_text(translated, given):
    assert translated(networks({"choice": "dcgan"} | given))[0].latent == 64


def test_equivalent_fields_are_translated(translated):
    adam = {"choice": "Adam", "learning_rate": "0.001", "b1": 0.4, "b2": "0.9"}
    rmsprop = {"choice": "RMSprop", "learning_rate": 0.002, "b1": -1, "b2": -1}
    found, warnings = translated(
        networks(
            {"choice": "dcgan", "optimizer": adam},
            {"choice": "dcgan", "optimizer": rmsprop, "loss": "Mean"},
            GAN_model={"mini_batch_size": "32", "clip_value": "0.02", "n_critic": 3, "lambda_gp": -1, "w_loss": 1},
        )
    )
    first, second = found.generator.optimizer, found.discriminator.optimizer
    assert (first.name, first.learning_rate, first.beta_1, first.beta_2) == ("adam", 0.001, 0.4, 0.9)
    assert (second.name, second.learning_rate, second.beta_2) == ("rmsprop", 0.002, 0.99)
    assert (found.batch, found.penalties.clip, found.balance.discriminator_steps) == (32, 0.02, 3)
    assert warnings == ['generator.loss = "BCE" is not followed: both networks have one loss here; read as "Mean"']


def test_disabled_adam_betas_get_the_defaults_of_the_toolkit(translated):
    adam = {"choice": "Adam", "b1": -1, "b2": -1}
    found = translated(networks({"choice": "dcgan", "optimizer": adam}))[0].generator.optimizer
    assert (found.beta_1, found.beta_2) == (0.5, 0.999)


@pytest.mark.parametrize(("asked", "why"), [(0, 'discriminator.loss is "Mean"'), ("2", "knows 0 and 1; read as 0")])
def test_disabled_w_loss_with_a_wasserstein_loss_warns(translated, asked, why):
    found, warnings = translated(networks("wgan", "wgan", GAN_model={"w_loss": asked}))
    assert found.loss == "wasserstein"
    assert any(warning.startswith("GAN_model.w_loss = ") and why in warning for warning in warnings)


def test_null_and_disabled_fields_equal_missing_fields(translated):
    off = {
        "clip_value": -1,
        "lambda_gp": "-1",
        "n_critic": -1,
        "classes": -1,
        "data_label": 0,
        "seq": 0,
        "epochs": None,
    }
    given = networks(GAN_model=off, data_path="", result_path=None)
    assert translated(given) == translated(networks())


@pytest.mark.parametrize(
    ("tree", "warning"),
    [
        ({"GAN_model": {"epochs": "50"}}, 'GAN_model.epochs = "50" is not followed: set gan.epochs'),
        ({"sample_interval": 400}, "sample_interval = 400 is not followed: set gan.sample_every"),
        ({"result_path": "out"}, 'result_path = "out" is not followed: sheets go to generated/<dataset>/training'),
        ({"save_model_path": "out"}, "trained networks go to models/<dataset>/gan"),
        ({"performance_log": "logs"}, "the log goes to data/<dataset>/runs"),
        ({"metric_evaluate": "FID"}, "the report has the kernel distance"),
        ({"cuda": False}, "cuda = false is not followed: a GPU is used where there is one"),
        ({"data_path": "pictures/cats"}, "set download.sources = folder and download.folder"),
        (
            {"data_path": "sets/one.p"},
            'data_path = "sets/one.p" is not followed: pickled data can run code and is never',
        ),
        ({"data_path": "sets/one.pkl.gz"}, "pickled data can run code and is never loaded"),
        ({"data_path": "sets/one.PKL"}, "save the pictures as files, and set download.sources"),
        ({"GAN_model": {"classes": 10}}, 'GAN_model.classes = 10 is not followed: only networks of the choice "cgan"'),
        ({"GAN_model": {"data_label": "1"}}, 'GAN_model.data_label = "1" is not followed: only networks of the choice'),
        ({"GAN_model": {"epoch": 5}}, "has no such key; did you mean 'epochs'?"),
        ({"sample_intervall": 5}, "the gan-toolkit has no such key; did you mean 'sample_interval'?"),
        ({"GAN_model": {"clip_value": 0.01}}, "GAN_model.clip_value = 0.01 is not followed: it is for the Wasserstein"),
        ({"GAN_model": {"lambda_gp": 10}}, "GAN_model.lambda_gp = 10 is not followed: it is for the Wasserstein loss"),
        (
            networks({"choice": "dcgan", "input_shape": 32}),
            "generator.input_shape = 32 is not followed: the size",
        ),
        (networks({"choice": "dcgan", "channels": 1}), "set normalize.colour in luigi.cfg to grey for 1"),
        (networks({"choice": "dcgan", "input": "[d_channels]"}), "generator.input"),
        (networks({"choice": "dcgan", "pre_trained_path": "a.pt"}), "pickled data, which is never loaded"),
        (networks({"choice": "dcgan", "optimizer": {"lr": 1}}), "generator.optimizer.lr = 1 is not followed"),
        (networks({"choice": "dcgan", "optimizer": {"choice": "RMSprop", "b1": 0.5}}), "b1 = 0.5 is not followed: RMS"),
        (
            networks({"choice": "dcgan", "loss": "MSE"}),
            'generator.loss = "MSE" is not followed: both networks',
        ),
        (networks("gan"), 'generator.choice = "gan" is followed in its training only: its layers are convolutions'),
    ],
    ids=str,
)
def test_each_field_that_is_not_followed_gives_one_warning(translated, tree, warning):
    _, (said,) = translated(networks() | tree)
    assert warning in said


def test_cgan_is_conditional_and_keeps_its_labels(translated):
    found, (about_classes, *warnings) = translated(networks("cgan", "cgan", GAN_model={"classes": 10, "data_label": 1}))
    assert found.conditional
    assert about_classes.startswith("GAN_model.classes = 10 is not followed: the classes are those of the pictures")
    assert [warning.partition(" is followed in its training only")[0] for warning in warnings] == [
        'generator.choice = "cgan"',
        'discriminator.choice = "cgan"',
    ]
    assert not translated(networks("dcgan", "dcgan"))[0].conditional


@pytest.mark.parametrize("field", ["classes", "data_label"])
@pytest.mark.parametrize("value", [True, [1, 2], "ten", {"a": 1}], ids=str)
def test_labels_of_a_cgan_that_are_no_numbers_are_refused(translated, field, value):
    with pytest.raises(UserError, match=rf"GAN_model\.{field} = .*: expected a number"):
        translated(networks("cgan", "cgan", GAN_model={field: value}))


def test_if_one_network_is_a_cgan_both_know_the_classes(translated):
    found, warnings = translated(networks({"choice": "cgan", "loss": "BCE"}, "dcgan"))
    assert found.conditional
    assert 'discriminator.choice = "dcgan" is followed with classes: the other network is a cgan' in warnings[0]


def test_disabled_fields_give_no_warning(translated):
    off = {"choice": "dcgan", "pre_trained_path": "-1", "input": -1}
    training = {"classes": "-1", "data_label": 0, "seq": -1}
    assert (
        translated(networks(off, off, data_path="-1", GAN_model=training))[1]
        == translated(networks("dcgan", "dcgan"))[1]
    )


def test_bad_value_of_a_field_that_is_not_followed_gives_a_warning(translated):
    _, (said, other) = translated(networks(GAN_model={"classes": "ten", "data_label": True}))
    assert 'GAN_model.classes = "ten" is not followed' in said
    assert "GAN_model.data_label = true is not followed" in other


def test_gradient_penalty_wins_over_clipping(translated):
    found, warnings = translated(networks("wgan", "wgan", GAN_model={"lambda_gp": 1}))
    assert (found.penalties.clip, found.penalties.gradient.weight) == (0, 1)
    assert any("GAN_model.clip_value = 0.01 is not followed: the gradient penalty bounds D" in one for one in warnings)


@pytest.mark.parametrize(("choice", "clip", "penalty"), [("wgan", 0.01, 0), ("wgan_gp", 0, 10)])
def test_wasserstein_discriminator_is_always_bounded(translated, choice, clip, penalty):
    found, warnings = translated(networks({"choice": "dcgan", "loss": "Mean"}, choice))
    assert (found.loss, found.penalties.clip, found.penalties.gradient.weight) == ("wasserstein", clip, penalty)
    assert any("diverges without a bound; read as" in warning for warning in warnings)


def test_gradient_penalty_removes_batch_norm(translated):
    found, warnings = translated(networks("wgan_gp", "dcgan"))
    assert (found.discriminator.norm, found.discriminator.initial) == ("none", "he")
    assert any("without its batch norm" in warning for warning in warnings)
    assert translated(networks("wgan", "dcgan"))[0].discriminator.norm == "batch"  # clipping allows it


@pytest.mark.parametrize(("generator", "discriminator"), [*itertools.product(CHOICES, CHOICES)])
def test_any_generator_works_with_any_discriminator(translated, generator, discriminator):
    bounds = ({}, {"w_loss": 1}, {"w_loss": 0}, {"clip_value": 0.01, "lambda_gp": 1})
    for first, second, training in itertools.product((None, *LOSSES), (None, *LOSSES), bounds):
        given = ({"choice": generator, "loss": first}, {"choice": discriminator, "loss": second})
        translated(networks(*given, GAN_model=training))


@pytest.mark.parametrize(
    ("tree", "says"),
    [
        (networks("seq_gan"), 'generator.choice = "seq_gan": that is for text'),
        (networks("gan", "seq_gan"), 'discriminator.choice = "seq_gan": that is for text'),
        (networks({"choice": "gan", "loss": "NLL"}), 'generator.loss = "NLL": that is for text'),
        (networks(GAN_model={"seq": "1"}), 'GAN_model.seq = "1": that is for text'),
        (networks("custom"), "that is Python code, and a definition has no code; use one of gan, dcgan"),
        (networks("gna"), 'generator.choice = "gna": expected one of gan, dcgan, cgan, wgan, wgan_gp'),
        ({"generator": {"choice": "gan"}}, "discriminator.choice = null: expected one of gan"),
        ({"GAN_model": {}}, "generator.choice = null: expected one of gan"),
        (networks({"choice": "gan", "loss": "L1"}), 'generator.loss = "L1": expected one of BCE, MSE, Mean'),
        (networks({"choice": "gan", "optimizer": {"choice": "SGD"}}), "expected one of Adam, RMSprop"),
        (networks({"choice": "gan", "optimizer": "Adam"}), 'generator.optimizer = "Adam": expected an object'),
        (networks(GAN_model=[]), "GAN_model = []: expected an object in braces"),
        (networks({"choice": "gan", "latent_dim": "many"}), 'generator.latent_dim = "many": expected a number'),
        (networks({"choice": "gan", "latent_dim": True}), "generator.latent_dim = true: expected a number"),
        (networks({"choice": "gan", "latent_dim": "nan"}), 'generator.latent_dim = "nan": expected a number'),
        (networks({"choice": "gan", "latent_dim": 10**400}), "…: expected a number"),
        (networks({"choice": "gan", "latent_dim": 0}), "generator.latent_dim = 0: expected a whole number, at least 1"),
        (
            networks(GAN_model={"mini_batch_size": 1}),
            "GAN_model.mini_batch_size = 1: expected a whole number, at least",
        ),
        (networks(GAN_model={"n_critic": 50}), "GAN_model.n_critic = 50: expected a whole number, at least 1, at most"),
        (networks("gan", {"choice": "gan", "optimizer": {"b2": 1}}), "discriminator.optimizer.b2 = 1: expected"),
    ],
    ids=str,
)
def test_impossible_file_is_refused_with_the_field_names_of_the_file(mistake, tree, says):
    assert says in mistake(tree)


def test_published_files_are_read_with_warnings(shared_data):
    files = sorted((shared_data / "gan-toolkit").glob("*.json"))
    assert len(files) == 10
    for path in files:
        assert any(warning.startswith("data_path = ") for warning in read(path).warnings), path
