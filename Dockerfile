# The course in JupyterLab on port 8888, as a user without privileges.
#
#   docker build -t small-model-course .                      # CPU: 3.5 GB, in five minutes on two cores
#   docker build -t small-model-course --build-arg TORCH=cuda .   # NVIDIA GPU: run with --gpus all
#   docker run -p 127.0.0.1:8888:8888 -e JUPYTER_TOKEN=... small-model-course
#
# Without JUPYTER_TOKEN JupyterLab makes a token and shows it in the log: docker logs NAME.
FROM python:3.11-slim-bookworm

# torch's CUDA build carries its own CUDA libraries, so one base image serves both. g++ brings the gcc by which Triton
# compiles, and builds the one package that has no wheel for Linux on arm64, as in Docker on a Mac.
# No versions here: Debian keeps only the newest of each package, and none of them reaches a result.
# Clusters run the image as another user (deploy/cloud/slurm.sbatch), who has to get into the project's folder.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 learner \
    && chmod 755 /home/learner

USER 1000
WORKDIR /home/learner/course

# What decides the installation comes first: a change of a notebook does not install again.
ARG TORCH=cpu
COPY --chown=1000 pyproject.toml README.md ./
COPY --chown=1000 requirements requirements
COPY --chown=1000 course_utils/__init__.py course_utils/__init__.py
RUN --mount=type=cache,target=/home/learner/.cache,uid=1000 \
    UV_LINK_MODE=copy python3 requirements/install.py --torch "$TORCH"

COPY --chown=1000 . .
RUN mkdir -p artifacts /home/learner/.cache
VOLUME ["/home/learner/course/artifacts", "/home/learner/.cache"]

ENV PATH="/home/learner/course/.venv/bin:$PATH"
EXPOSE 8888
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s \
    CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8888/api', timeout=4)"]
CMD ["jupyter", "lab", "--ip=0.0.0.0", "--port=8888", "--no-browser", "--ServerApp.root_dir=/home/learner/course", "--ServerApp.terminado_settings=shell_command=bash"]
