import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
# Without AVX512-VNNI, AVX512-BF16 or AMX TensorFlow leaves oneDNN off, and has no kernels for NCHW then.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
