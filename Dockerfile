# One image for worker, backfill, sync and every other command: the command is the argument.
#   docker build -t clients-mirror .
#   docker run --rm clients-mirror worker

FROM node:20-bookworm-slim AS build
# better-sqlite3 compiles where its ready-made binary cannot be had.
RUN apt-get update \
 && apt-get install -y --no-install-recommends python3 make g++ \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /app
COPY package.json package-lock.json ./
# Not `npm ci`: npm leaves optional packages of other platforms out of the lock, and then refuses it.
RUN npm install --no-audit --no-fund
COPY tsconfig.json build.ts ./
COPY src ./src
COPY jobs ./jobs
COPY config ./config
RUN npm run build \
 && find dist -name '*.map' -delete \
 && npm prune --omit=dev --no-audit --no-fund \
 && rm -rf node_modules/typescript node_modules/@typescript node_modules/better-sqlite3/deps node_modules/better-sqlite3/src node_modules/better-sqlite3/build/Release/obj \
 && mkdir /data

FROM node:20-bookworm-slim
ENV NODE_ENV=production
WORKDIR /app
COPY --from=build /app/package.json ./
COPY --from=build /app/node_modules ./node_modules
COPY --from=build /app/dist ./dist
COPY deploy/healthcheck.mjs ./deploy/
# SQLite's place; with Postgres nothing is written.
COPY --from=build --chown=node:node /data /data
VOLUME /data
ENV WAREHOUSE_URL=sqlite:/data/clients.db
USER node
EXPOSE 8080
# Asks the worker; a command of a moment has ended before it is asked.
HEALTHCHECK --interval=15s --timeout=5s --start-period=20s --retries=3 CMD ["node", "deploy/healthcheck.mjs"]
# Node is process 1 and handles SIGTERM itself.
ENTRYPOINT ["node", "dist/clients-mirror.js"]
CMD ["worker"]
