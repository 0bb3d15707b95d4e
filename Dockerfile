# syntax=docker/dockerfile:1
# wasm-opt as end2end/package-lock.json pins it: Debian's is years older than the compiler whose code it has to read. It is
# a program for Node.js, the same one on every platform.
FROM node:22-bookworm-slim AS binaryen
WORKDIR /tools
COPY end2end/package.json end2end/package-lock.json ./
RUN npm ci --ignore-scripts --no-audit --no-fund

FROM rust:1.95-bookworm AS build
COPY --from=binaryen /usr/local/bin/node /usr/local/bin/node
COPY --from=binaryen /tools/node_modules/binaryen /opt/binaryen
RUN ln -s /opt/binaryen/bin/wasm-opt /usr/local/bin/wasm-opt && wasm-opt --version
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
