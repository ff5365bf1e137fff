# The environment of compose.yaml: both servers, the deployments and the worker, from this checkout.
FROM python:3.12-slim

# implicit needs OpenMP, which the slim image lacks
RUN apt-get update && apt-get install --yes --no-install-recommends libgomp1 && rm -rf /var/lib/apt/lists/*

WORKDIR /latentlab
COPY . .
RUN --mount=type=cache,target=/root/.cache/pip \
    pip install --constraint constraints.txt --editable '.[postgres,search]'

# volumes get the owner of the folders that they are mounted on
RUN useradd --create-home latentlab \
    && mkdir -p /var/lib/latentlab/home /var/lib/latentlab/artifacts \
    && chown -R latentlab /var/lib/latentlab
USER latentlab
