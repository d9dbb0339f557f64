# The one program of the project in a small image: `orderly serve` by default, `orderly bank` and
# every other subcommand by argument. Needs BuildKit (the default since Docker 23).

FROM rust:1.95-bookworm AS base
WORKDIR /src

# The workspace with every source file emptied. It changes only when a manifest does, so the layer
# below that builds the dependencies is reused as long as they stay the same.
FROM base AS skeleton
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock \
        ! -path '*/src/lib.rs' ! -path '*/src/main.rs' ! -path '*/src/bin/*.rs' ! -name build.rs -delete \
    && find . -name '*.rs' -exec sh -c 'for f; do echo "fn main() { }" > "$f"; done' sh {} + \
    && find . -name lib.rs -exec sh -c 'for f; do : > "$f"; done' sh {} + \
    && find . -type d -empty -delete

FROM base AS builder
COPY --from=skeleton /src .
RUN cargo build --release --locked --package orderly --bin orderly
COPY . .
# Copied files keep their old times: without `touch` cargo takes the empty crates for up to date.
RUN find crates migrations -type f -exec touch {} + \
    && cargo build --release --locked --package orderly --bin orderly \
    && install -d -m 0750 /out/data \
    && install -m 0755 target/release/orderly deploy/healthcheck /out/

FROM debian:bookworm-slim
# The authorities that sign real payment providers and databases; the rest of the image has none.
COPY --from=builder /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=builder /out/orderly /out/healthcheck /usr/local/bin/
# A new volume takes over the owner of this folder.
COPY --from=builder --chown=10001:10001 /out/data /data

# Listeners face the container's network, not its loopback; publish them with care.
ENV ORDERLY_DATA_DIR=/data \
    ORDERLY_LISTEN=0.0.0.0:8080 \
    ORDERLY_PRIVATE_LISTEN=0.0.0.0:9464
WORKDIR /data
VOLUME /data
EXPOSE 8080 9464
USER 10001:10001
STOPSIGNAL SIGTERM
# Liveness of `serve`. Whoever runs another subcommand sets a check of its own (docker-compose.yml).
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
    CMD ["healthcheck", "8080", "/livez"]
ENTRYPOINT ["orderly"]
CMD ["serve"]
