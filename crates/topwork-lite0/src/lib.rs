//! EfficientNet-Lite0, trained on ImageNet: data only.
