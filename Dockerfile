# syntax=docker/dockerfile:1
FROM rust:1.95-bookworm AS build
RUN apt-get update && apt-get install --yes --no-install-recommends binaryen && rm -rf /var/lib/apt/lists/*
WORKDIR /build

# The tools change seldom: they get a layer of their own.
COPY Cargo.toml Cargo.lock ./
COPY scripts/lib.sh scripts/setup scripts/
RUN scripts/setup release

COPY . .
# One directory for each platform: `docker buildx build --platform linux/amd64,linux/arm64` builds both.
ARG TARGETARCH
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,id=release-manager-$TARGETARCH \
    scripts/build --release && install -D target/release/release-manager /out/release-manager && mkdir /out/data

# glibc, CA certificates and nothing else; git and Docker are spoken natively.
FROM gcr.io/distroless/cc-debian12:nonroot
COPY --from=build /out/release-manager /usr/bin/release-manager
COPY --from=build --chown=nonroot:nonroot /out/data /data
ENV WEB_HOST=0.0.0.0 WEB_PORT=8080 DATABASE_PATH=/data/release-manager.db LOG_FORMAT=json
VOLUME /data
EXPOSE 8080
# User 65532. The Docker socket belongs to a group of the host: give the container that group (docs/operation.md).
USER nonroot
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["/usr/bin/release-manager", "healthcheck"]
ENTRYPOINT ["/usr/bin/release-manager"]
CMD ["serve"]
