// A service of Restate in JavaScript: the server keeps each call and its steps in a journal, and calls again what failed.
import { createHmac } from "node:crypto";
import * as restate from "@restatedev/restate-sdk";

const { PEER_TARGET, PEER_SECRET, PEER_SERVICE_PORT } = process.env;

const relay = restate.service({
  name: "relay",
  handlers: {
    deliver: async (context, chat) => {
      await context.run("post", async () => {
        const body = JSON.stringify(chat);
        const signature = createHmac("sha256", PEER_SECRET).update(body).digest("hex");
        const headers = { "Content-Type": "application/json", "X-Signature": signature };
        const answer = await fetch(PEER_TARGET, { method: "POST", body, headers });
        if (!answer.ok) throw new Error(`the destination answered ${answer.status}`);
        await answer.arrayBuffer();
      });
    },
  },
});

restate.serve({ services: [relay], port: Number(PEER_SERVICE_PORT) });
