# One image with all programs; a container chooses its own by its command.
ARG RUST_IMAGE=rust:1.95-slim-bookworm
ARG DEBIAN_IMAGE=debian:bookworm-slim

# The manifests with empty sources. What comes out of here changes only with the dependencies, so the layer in which they
# are compiled stays cached when our own code changes.
FROM ${DEBIAN_IMAGE} AS manifests
WORKDIR /manifests
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path '*/src/lib.rs' ! -path '*/src/main.rs' -delete \
 && find . -name lib.rs -exec truncate --size=0 {} + \
 && find . -name main.rs -exec sh -c 'for main; do echo "fn main() { }" >"$main"; done' - {} + \
 && find . -type d -empty -delete

FROM ${RUST_IMAGE} AS build
# librdkafka is compiled from source, and linked with OpenSSL as the distribution has it.
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends g++ libssl-dev make pkg-config zlib1g-dev >/dev/null \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /build
# Jobs at once: fewer need less memory.
ARG CARGO_BUILD_JOBS=default
# A backtrace has no names then; a panic says its file and line all the same.
ENV CARGO_PROFILE_RELEASE_DEBUG=none CARGO_PROFILE_RELEASE_STRIP=symbols
COPY --from=manifests /manifests .
RUN cargo build --release --locked --workspace --exclude trip
COPY . .
# Cargo goes by the time of change, and our sources may be older than the empty ones.
RUN find . -name '*.rs' -not -path './target/*' -exec touch {} + \
 && cargo build --release --locked --workspace --exclude trip \
 && mkdir /programs \
 && find target/release -maxdepth 1 -type f -executable -exec cp {} /programs \;

FROM ${DEBIAN_IMAGE}
RUN apt-get update -qq \
 && apt-get install -y -qq --no-install-recommends libssl3 >/dev/null \
 && rm -rf /var/lib/apt/lists/*
COPY --from=build /programs /usr/local/bin
# What a program keeps in files (the payment gateway its books, the runner its pictures) belongs to it alone.
RUN useradd --system --uid 10001 --no-create-home saga \
 && install --directory --owner=saga --group=saga --mode=0700 /var/lib/saga
USER saga
WORKDIR /var/lib/saga
