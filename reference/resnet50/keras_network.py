"""`keras.applications.ResNet50` with the formula's weights. Used by make.py and measurements/resnet50.py.

TensorFlow and PyTorch do not bear each other in one process (both bring LLVM): hence not one script for both.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

import keras
import numpy

STAGES = {
    "conv1_relu": "stem",
    "pool1_pool": "pool",
    "conv2_block3_out": "stage 1",
    "conv3_block4_out": "stage 2",
    "conv4_block6_out": "stage 3",
    "conv5_block3_out": "stage 4",
}


def network(tensors, size=(224, 224), floats="float32"):
    """Gives logits before the softmax; for pictures of another size than 224 x 224, features."""
    # The first is the inputs' type, the second the layers'.
    keras.config.set_floatx(floats)
    keras.config.set_dtype_policy(floats)
    if size == (224, 224):
        model = keras.applications.ResNet50(weights=None, classifier_activation=None)
    else:
        model = keras.applications.ResNet50(weights=None, include_top=False, pooling="avg", input_shape=(*size, 3))
    left = dict(tensors)
    for layer in model.layers:
        for variable in layer.variables:
            variable.assign(left.pop(f"{layer.name}/{variable.name}"))
    assert set(left) <= {"predictions/kernel", "predictions/bias"}, f"not in Keras' network: {sorted(left)}"
    return model


def outputs(model, pixels):
    """Stages [n, height, width, channels] by name, features, and logits if there are any, for u8 [n, height, width, 3]."""
    inputs = keras.applications.resnet.preprocess_input(pixels.astype(model.input.dtype))
    wanted = [model.get_layer(name).output for name in STAGES]
    wanted += [model.get_layer("avg_pool").output, model.output]
    found = [numpy.asarray(output) for output in keras.Model(model.input, wanted)(inputs, training=False)]
    logits = found[-1] if model.layers[-1].name == "predictions" else None
    return dict(zip(STAGES.values(), found)), found[-2], logits
