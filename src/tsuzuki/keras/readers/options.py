"""Options that every layer can have."""

from tsuzuki.keras.readers.call import Call

KINDS = ("kernel", "recurrent", "bias", "activity")
OPTIONS = [f"{kind}_regularizer" for kind in KINDS] + [f"{kind}_constraint" for kind in KINDS]


def check_options(call: Call) -> None:
    """Refuse precision, frozen weights, regularisers and constraints that have no equal."""
    layer = call.layer
    if not hasattr(layer, "dtype_policy"):
        # An operation of keras.ops, which has no weights.
        return
    if layer.dtype_policy.name != "float32":
        call.refuse(
            f"computes in {layer.dtype_policy.name}; make the model under float32 "
            '(keras.config.set_dtype_policy("float32"))'
        )
    if not layer.trainable:
        call.refuse("has trainable=False, but all layers are trained here; set it to True")
    inner = (layer, getattr(layer, "cell", None), getattr(layer, "layer", None))
    for option in OPTIONS:
        if any(getattr(one, option, None) is not None for one in inner):
            instead = (
                "clipnorm= in the optimiser"
                if option.endswith("constraint")
                else "weight_decay= in the optimiser, or dropout="
            )
            call.refuse(f"has a {option}, which is not supported; use {instead}")
