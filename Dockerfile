# One image for every process. A starting point: CI does not build it. See docs/guides/deploy.md.
FROM python:3.12-slim
ENV PYTHONUNBUFFERED=1 PYTHONUTF8=1
RUN useradd --system --uid 10001 --create-home unsprawl \
 && install -d -o unsprawl -g unsprawl -m 0700 /data /data/keys
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir --require-hashes -r requirements.txt
COPY . .
RUN python -m compileall -q .
USER unsprawl
ENV UNSPRAWL_DATA_DIR=/data UNSPRAWL_BIND=0.0.0.0
VOLUME /data
