"""Makes trained TensorFlow models small and fast for inference, and proves that they still answer the same."""

__version__ = "0.1.0"
