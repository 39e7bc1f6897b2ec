# The course in JupyterLab on port 8888, as an unprivileged user.
#
#   docker build -t small-model-course .                      # CPU: 3.5 GB, in five minutes on two cores
#   docker build -t small-model-course --build-arg TORCH=cuda .   # NVIDIA GPU: run with --gpus all
#   docker run -p 127.0.0.1:8888:8888 -e JUPYTER_TOKEN=... small-model-course
#
# Without JUPYTER_TOKEN, JupyterLab creates a token and writes it to the log: docker logs NAME.
FROM python:3.11-slim-bookworm

# torch's CUDA build includes the CUDA libraries, so that one base image serves both builds. g++ installs the gcc that
# Triton compiles with, and builds the one package without a wheel for Linux on arm64, as in Docker on a Mac.
# Versions are not pinned, because Debian keeps only the newest of each package, and no result depends on them.
# The home folder is readable, because clusters run the image as another user (deploy/cloud/slurm.sbatch).
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends git make g++ \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 learner \
    && chmod 755 /home/learner

USER 1000
WORKDIR /home/learner/course

# Files that determine the installation are copied first, so that a changed notebook does not repeat it.
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
