# A static binary on an empty file system, run by a user without a name.
FROM golang:1.26.5-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-s -w -X main.version=${VERSION}" -o /steward ./cmd/steward

FROM scratch
LABEL org.opencontainers.image.title="Steward" \
      org.opencontainers.image.description="System of record for a domain reseller's customers" \
      org.opencontainers.image.source="https://github.com/stewardhq/steward" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /src/LICENSE /LICENSE
COPY --from=build /steward /steward
USER 65532:65532
EXPOSE 8080
HEALTHCHECK --interval=5s --timeout=3s --retries=24 --start-period=10s \
  CMD ["/steward", "healthcheck", "--url", "http://127.0.0.1:8080/readyz"]
ENTRYPOINT ["/steward"]
CMD ["serve"]
