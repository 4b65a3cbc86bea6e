# One recipe for every service: docker build --build-arg SERVICE=orchestrator -t stepfleet/orchestrator:dev .
# SERVICE: orchestrator, llm-worker, tool-worker, escalation, scripted-model.
#
# Behind a proxy with a certificate of its own, hand its CA (and, if needed, an npm configuration) to the build;
# neither stays in an image: --secret id=ca,src=FILE --secret id=npmrc,src=FILE
ARG NODE=24-bookworm-slim

FROM node:${NODE} AS base
WORKDIR /app

# Only what npm reads, so that the installations below are cached until a manifest changes.
FROM base AS manifests
COPY package.json package-lock.json .npmrc ./
COPY packages packages
COPY services services
RUN find . -type f ! -name package.json ! -name package-lock.json ! -name .npmrc -delete \
  && find . -type d -empty -delete

# Compiles all workspaces once; the images of all services share this stage.
FROM base AS build
COPY --from=manifests /app ./
RUN --mount=type=secret,id=ca --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \
  if [ -f /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
  npm ci --ignore-scripts
COPY tsconfig.base.json tsconfig.json ./
COPY scripts scripts
COPY packages packages
COPY services services
RUN node scripts/build.mjs \
  && find packages services -path '*/dist/*' \
    \( -name '*.test.*' -o -name '*.fixture.*' -o -name '*.d.ts' -o -name '*.map' \) -delete

# The service, what it needs of the workspaces, and its production dependencies.
FROM base AS production
ARG SERVICE
COPY --from=manifests /app ./
# the runtime too: every process is started with its telemetry preload
RUN --mount=type=secret,id=ca --mount=type=secret,id=npmrc,target=/root/.npmrc --mount=type=cache,target=/root/.npm \
  if [ -z "$SERVICE" ]; then echo 'say which: --build-arg SERVICE=orchestrator (the first lines of the Dockerfile list all)'; exit 1; fi; \
  if [ -f /run/secrets/ca ]; then export NODE_EXTRA_CA_CERTS=/run/secrets/ca; fi; \
  npm ci --omit=dev --ignore-scripts --workspace "@stepfleet/$SERVICE" --workspace @stepfleet/runtime
RUN --mount=type=bind,from=build,source=/app,target=/built \
  rm -rf packages services \
  && for link in node_modules/@stepfleet/* node_modules/stepfleet; do \
    if [ -L "$link" ]; then \
      dir=$(realpath -m --relative-to=. "$link"); \
      mkdir -p "$dir"; \
      for part in package.json dist bin; do \
        if [ -e "/built/$dir/$part" ]; then cp -r "/built/$dir/$part" "$dir/"; fi; \
      done; \
    fi; \
  done \
  && ln -s "$(realpath --relative-to=. "node_modules/@stepfleet/$SERVICE")" service \
  && test -f service/dist/main.js
COPY scripts/healthcheck.mjs ./

FROM base
ARG SERVICE
COPY --from=production /app ./
# The only place a service writes to: outcomes that wait for Redis. Mount a volume here; all else may be read-only.
RUN install -d -o 1000 -g 1000 /var/lib/stepfleet
# In a container the loopback address reaches nobody, so the doors listen on all addresses. The orchestrator has no API
# keys yet and refuses that unless STEPFLEET_ALLOW_UNAUTHENTICATED=1 says that the network around it is closed.
ENV NODE_ENV=production \
  STEPFLEET_SERVICE=${SERVICE} \
  OTEL_SERVICE_NAME=${SERVICE} \
  STEPFLEET_HOST=0.0.0.0 \
  STEPFLEET_HEALTH_PORT=7401 \
  STEPFLEET_SPOOL_DIR=/var/lib/stepfleet/spool
# by number, so that Kubernetes can tell that it is not root
USER 1000:1000
HEALTHCHECK --interval=10s --timeout=5s --start-period=20s --retries=3 CMD ["node", "/app/healthcheck.mjs"]
# The exec form: signals reach node, which drains on SIGTERM.
CMD ["node", "--import", "/app/packages/runtime/dist/telemetry-preload.js", "/app/service/dist/main.js"]
