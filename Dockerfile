# A gateway in a container, on amd64, arm64 and arm/v7:
#
#   docker build -t moonwire .
#   docker run --init --stop-timeout 30 -v moonwire:/var/lib/moonwire -p 6790:6790 \
#     -v ./moonwire.yaml:/etc/moonwire/moonwire.yaml:ro moonwire
#
# With --init: `moonwire restart` is refused where the gateway is the first process, with which a container ends.
# Serial ports: --device /dev/ttyUSB0 --group-add dialout.
FROM node:22-bookworm-slim AS build
WORKDIR /build
COPY package.json package-lock.json ./
RUN npm install --no-save --no-audit --no-fund --ignore-scripts
COPY . .
RUN node esbuild.config.mjs && node packaging/image.mjs /out

FROM node:22-bookworm-slim
# Bounds the heap; packaging/README.md says how it follows the memory of the board.
ENV NODE_ENV=production NODE_OPTIONS=--max-old-space-size=192
COPY --from=build /out /usr/lib/moonwire
RUN ln -s /usr/lib/moonwire/dist/cli.js /usr/local/bin/moonwire \
  && install -d -o node -g node -m 750 /var/lib/moonwire
USER node
WORKDIR /var/lib/moonwire
VOLUME /var/lib/moonwire
EXPOSE 6790
# The engine's API on loopback; where `access.users` names users, MOONWIRE_API_TOKEN says who asks.
HEALTHCHECK --interval=30s --timeout=10s --start-period=20s CMD ["moonwire", "ps"]
CMD ["moonwire", "engine", "-f", "/etc/moonwire/moonwire.yaml"]
