// The package `@veramo/did-comm`, in an agent made of Veramo's packages.

import { createAgent } from "@veramo/core";
import { DIDComm } from "@veramo/did-comm";
import { DIDManager, MemoryDIDStore } from "@veramo/did-manager";
import { DIDResolverPlugin } from "@veramo/did-resolver";
import { KeyManager, MemoryKeyStore, MemoryPrivateKeyStore } from "@veramo/key-manager";
import { KeyManagementSystem } from "@veramo/kms-local";
import { Resolver } from "did-resolver";

import { Absent, serve } from "./lines.mjs";

const PACKING = { plain: "none", sign: "jws", anon: "anoncrypt", auth: "authcrypt" };
const TYPE = { X25519: "X25519", Ed25519: "Ed25519", secp256k1: "Secp256k1", "P-256": "Secp256r1" };

/** An agent that knows these documents and has these keys. */
async function agentOf({ documents, secrets }) {
  const example = async (did) => ({
    didDocument: documents.find((document) => document.id === did) ?? null,
    didResolutionMetadata: {},
    didDocumentMetadata: {},
  });
  const agent = createAgent({
    plugins: [
      new DIDResolverPlugin({ resolver: new Resolver({ example }) }),
      new KeyManager({
        store: new MemoryKeyStore(),
        kms: { local: new KeyManagementSystem(new MemoryPrivateKeyStore()) },
      }),
      // It makes no DIDs here, so a provider has nothing to do.
      new DIDManager({
        store: new MemoryDIDStore(),
        defaultProvider: "did:example",
        providers: { "did:example": {} },
      }),
      new DIDComm({ transports: [] }),
    ],
  });
  const keys = secrets
    .filter(({ jwk }) => TYPE[jwk.crv])
    .map(({ kid, jwk }) => ({
      kid,
      kms: "local",
      type: TYPE[jwk.crv],
      // Its Ed25519 secrets are seed and public key.
      privateKeyHex: hex(jwk.d) + (jwk.crv === "Ed25519" ? hex(jwk.x) : ""),
    }));
  const did = secrets[0].kid.split("#")[0];
  await agent.didManagerImport({ did, provider: "did:example", keys, services: [] });
  return agent;
}

const hex = (base64url) => Buffer.from(base64url, "base64url").toString("hex");

async function pack(job) {
  const packing = PACKING[job.kind];
  if (!packing) throw new Absent(`${job.kind} is no form that it writes`);
  const agent = await agentOf(job);
  const keyRef = job.kind === "sign" ? job.sign_by : undefined;
  const options = job.enc ? { enc: job.enc } : undefined;
  const { message } = await agent.packDIDCommMessage({ packing, message: job.message, keyRef, options });
  return { packed: message };
}

async function unpack(job) {
  const agent = await agentOf(job);
  // It tells how a message was packed, not by which keys.
  const { message, metaData } = await agent.unpackDIDCommMessage({ message: job.packed });
  if (metaData.packing === "none") return { message, sender: null, signer: null };
  return { message };
}

/** Its handler for mediators wants a database; these are the steps of a program that does without. */
async function forwarded(job) {
  const { message } = await unpack(job);
  return { next: message.body.next, packed: JSON.stringify(message.attachments[0].data.json) };
}

await serve(["@veramo/did-comm", "@veramo/core", "did-jwt"], { pack, unpack, forwarded });
