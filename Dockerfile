# The book with its environment, from the same lock as `make setup`:
#   docker build -t groove .
#   docker run --rm -v "$PWD/build:/book/build" groove make book
# Then `make serve`, or any server of files, shows build/demo/html.
FROM python:3.11-slim AS system
RUN apt-get update \
 && apt-get install -y --no-install-recommends build-essential git \
 && rm -rf /var/lib/apt/lists/*

FROM system
WORKDIR /book
COPY . .
RUN PIP_NO_CACHE_DIR=1 UV_NO_CACHE=1 make setup BASE_PYTHON=python
CMD ["make", "book"]
