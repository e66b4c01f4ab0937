# The collector's own image holds one binary and no shell, so it cannot answer a health check.
# The same binary beside busybox can.
FROM otel/opentelemetry-collector-contrib:0.162.0 AS collector

FROM busybox:1.37.0
COPY --from=collector /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=collector /otelcol-contrib /usr/local/bin/otelcol
USER 10001:10001
EXPOSE 4317 4318 8889 13133
ENTRYPOINT ["otelcol"]
CMD ["--config=/etc/otelcol/config.yaml"]
