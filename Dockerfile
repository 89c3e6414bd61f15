FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /out/carillon . && mkdir -m 700 /out/data

# Nothing but the binary and the authorities that sign Apple's and Stripe's certificates.
FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /out/carillon /carillon
COPY --from=build --chown=65532:65532 /out/data /data
ENV CARILLON_ADDR=:8080 CARILLON_DATA=/data CARILLON_RTC_UDP_ADDR=:3478
VOLUME /data
EXPOSE 8080/tcp 3478/udp
USER 65532:65532
HEALTHCHECK --interval=10s --timeout=3s CMD ["/carillon", "health"]
ENTRYPOINT ["/carillon"]
CMD ["serve"]
