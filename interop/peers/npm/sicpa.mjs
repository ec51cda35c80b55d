// The package `didcomm` of SICPA.

import { serve } from "./lines.mjs";

import { Message } from "didcomm";

const resolver = (documents) => ({
  resolve: async (did) => documents.find((document) => document.id === did) ?? null,
});

const secrets = (list) => {
  const own = list.map(({ kid, jwk }) => ({ id: kid, type: "JsonWebKey2020", privateKeyJwk: jwk }));
  return {
    get_secret: async (kid) => own.find((secret) => secret.id === kid) ?? null,
    find_secrets: async (kids) => kids.filter((kid) => own.some((secret) => secret.id === kid)),
  };
};

const ANON = {
  "A256CBC-HS512": "A256cbcHs512EcdhEsA256kw",
  A256GCM: "A256gcmEcdhEsA256kw",
  XC20P: "Xc20pEcdhEsA256kw",
};

async function pack(job) {
  const message = new Message(job.message);
  const documents = resolver(job.documents);
  if (job.kind === "plain") return { packed: await message.pack_plaintext(documents) };
  const own = secrets(job.secrets);
  if (job.kind === "sign") return { packed: (await message.pack_signed(job.sign_by, documents, own))[0] };
  const anonymous = job.kind === "anon" || job.kind === "anon(sign)";
  const options = {
    protect_sender: job.kind === "anon(auth)",
    forward: job.kind.startsWith("forward"),
    enc_alg_anon: ANON[job.enc],
  };
  const from = anonymous ? null : job.from;
  const [packed] = await message.pack_encrypted(job.to, from, job.sign_by, documents, own, options);
  return { packed };
}

async function open(job) {
  const options = { unwrap_re_wrapping_forward: false };
  return await Message.unpack(job.packed, resolver(job.documents), secrets(job.secrets), options);
}

async function unpack(job) {
  const [message, metadata] = await open(job);
  return {
    message: message.as_value(),
    sender: metadata.encrypted_from_kid ?? null,
    signer: metadata.sign_from ?? null,
  };
}

async function forwarded(job) {
  const [message] = await open(job);
  const forward = message.try_parse_forward();
  return { next: forward.next, packed: JSON.stringify(forward.forwarded_msg) };
}

await serve(["didcomm"], { pack, unpack, forwarded });
