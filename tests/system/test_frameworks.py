#!/usr/bin/python3
"""Libraries of Node.js that stand on Redis, each doing its real job: at a worker by itself and through the proxy."""
import tap
from places import NodeParts, places

PORT = 25530
NODE_PARTS = {
    "connect-redis": "connect-redis: two processes of a web application share their sessions",
    "socket.io": "socket.io: two servers share rooms by channels, over ioredis and node-redis",
}

with places(PORT) as ports:
    node = NodeParts("frameworks.js", ports)
    tap.run([node.test(*part) for part in NODE_PARTS.items()] + [node.test_known(NODE_PARTS)])
