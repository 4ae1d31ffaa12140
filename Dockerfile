# Train in a container: docker build -t imagelab . && docker run --rm -v "$PWD/logs:/imagelab/logs" imagelab
# On a GPU add --gpus all: the locked torch brings CUDA with it, the host only its driver (NVIDIA Container Toolkit).
ARG PYTHON=3.11
FROM python:${PYTHON}-slim

# Versions are those of the base image's distribution, which the tag of the base fixes.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /imagelab
# The locked packages are a layer of their own, so that a changed file of code does not install them anew.
COPY requirements.lock ./
RUN pip install --no-cache-dir uv==0.13.9 \
    && uv venv .venv \
    && uv pip sync --no-cache --python .venv/bin/python --require-hashes requirements.lock
COPY . .
RUN make setup

ENV PATH=/imagelab/.venv/bin:$PATH
CMD ["make", "train"]
