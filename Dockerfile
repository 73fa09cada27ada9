# The image of Signet: one static binary, no shell, an unprivileged user.
#
#   docker build --build-arg VERSION=0.1.0 --build-arg REVISION=$(git rev-parse HEAD) -t signet:0.1.0 .
#
# A tag can be moved to another image, a digest cannot. To pin the builder by digest, take the one
# that "docker buildx imagetools inspect golang:1.26.8-bookworm" prints and write
#   FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm@sha256:… AS build
FROM --platform=$BUILDPLATFORM golang:1.26.8-bookworm AS build
WORKDIR /src

# A layer of their own: modules are loaded again only when these two files change.
COPY go.mod go.sum ./
RUN go mod download

COPY . .
ARG VERSION=dev
ARG TARGETOS
ARG TARGETARCH
RUN CGO_ENABLED=0 GOOS=$TARGETOS GOARCH=$TARGETARCH go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$VERSION" -o bin/signet ./cmd/signet
RUN mkdir -m 0700 bin/data

FROM scratch
ARG VERSION=dev
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Signet" \
      org.opencontainers.image.description="Issues short-lived access tokens to machines" \
      org.opencontainers.image.source="https://github.com/signet-issuer/signet" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.revision="$REVISION"

# The authorities that vouch for PostgreSQL and Redis when they are reached over TLS.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /src/bin/signet /usr/local/bin/signet

# Only the embedded mode writes, and only here: mount a volume or lose the data with the container.
# With PostgreSQL and Redis nothing is written, so no VOLUME makes one for every container.
COPY --from=build --chown=65532:65532 /src/bin/data /data
ENV SIGNET_DATA_DIR=/data SQLITE_TMPDIR=/data

# Beyond its own machine Signet wants https: it does not start here without SIGNET_ISSUER and either
# SIGNET_TRUSTED_PROXIES or SIGNET_TLS_CERT_FILE and SIGNET_TLS_KEY_FILE, and it says so.
ENV SIGNET_LISTEN=:8080
EXPOSE 8080

# A number, so that an orchestrator can see that it is not root.
USER 65532:65532

# Liveness, because an unhealthy container may be restarted for it, and a restart brings no database
# back. Balancers ask /readyz themselves.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=3 CMD ["/usr/local/bin/signet", "healthcheck", "--live"]

ENTRYPOINT ["/usr/local/bin/signet"]
CMD ["serve"]
