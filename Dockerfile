FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/carillon . && mkdir -p /out/root && mkdir -m 700 /out/root/data

# Nothing but the binary and the authorities that sign Apple's and Stripe's certificates.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/carillon /carillon
# The folder as a part of what is copied: a builder may give the target of a copy another mode, and with
# one that others may read the server refuses to start.
COPY --from=build --chown=65532:65532 /out/root/ /
ENV CARILLON_ADDR=:8080 CARILLON_DATA=/data CARILLON_RTC_UDP_ADDR=:3478
VOLUME /data
EXPOSE 8080/tcp 3478/udp
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s CMD ["/carillon", "health"]
ENTRYPOINT ["/carillon"]
CMD ["serve"]
