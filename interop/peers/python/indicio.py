"""The package `didcomm-messaging` of Indicio, with the back end that the first argument names: `askar` or `authlib`."""

import json
import sys

from didcomm_messaging import DIDCommMessaging
from didcomm_messaging.crypto.backend.basic import InMemorySecretsManager
from didcomm_messaging.crypto.jwe import from_b64url
from didcomm_messaging.multiformats import multibase, multicodec
from didcomm_messaging.packaging import PackagingService
from didcomm_messaging.resolver import DIDNotFound, DIDResolver
from didcomm_messaging.routing import RoutingService

from lines import Absent, serve

ASKAR = sys.argv[1] == "askar"
if ASKAR:
    from aries_askar import Key
    from didcomm_messaging.crypto.backend.askar import AskarCryptoService as Crypto
    from didcomm_messaging.crypto.backend.askar import AskarSecretKey as SecretKey
else:
    from authlib.jose import ECKey, OKPKey
    from didcomm_messaging.crypto.backend.authlib import AuthlibCryptoService as Crypto
    from didcomm_messaging.crypto.backend.authlib import AuthlibSecretKey as SecretKey

# What its packaging writes is not for the caller to choose.
ENC = {"anon": "XC20P", "auth": "A256CBC-HS512", "forward": "XC20P", "forward(keys)": "XC20P"}


class Resolver(DIDResolver):
    def __init__(self, documents):
        self.documents = {document["id"]: document for document in documents}

    async def resolve(self, did):
        if did not in self.documents:
            raise DIDNotFound(did)
        return self.documents[did]

    async def is_resolvable(self, did):
        return did in self.documents


def secret(job):
    kid, jwk = job["kid"], job["jwk"]
    if ASKAR:
        return SecretKey(Key.from_jwk(jwk), kid)
    # As its own documentation does it, so that the key knows its name.
    return SecretKey((OKPKey if jwk["kty"] == "OKP" else ECKey).import_key({**jwk, "kid": kid}), kid)


def messaging(job):
    secrets = InMemorySecretsManager()
    for one in job["secrets"]:
        if one["kid"].endswith("#agree"):
            secrets.secrets[one["kid"]] = secret(one)
    return DIDCommMessaging(Crypto(), secrets, Resolver(documents(job)), PackagingService(), RoutingService())


def documents(job):
    """The back end `authlib` takes no JWK of a document, so it gets X25519 keys as `Multikey`; it has no form for others."""
    if ASKAR:
        return job["documents"]
    return [
        {**document, "verificationMethod": [multikey(method) for method in document["verificationMethod"]]}
        for document in job["documents"]
    ]


def multikey(method):
    jwk = method["publicKeyJwk"]
    if jwk["crv"] != "X25519":
        return method
    key = multicodec.wrap("x25519-pub", from_b64url(jwk["x"]))
    kept = {name: method[name] for name in ("id", "controller")}
    return {**kept, "type": "Multikey", "publicKeyMultibase": multibase.encode(key, "base58btc")}


async def pack(job):
    kind = job["kind"]
    if kind not in ENC:
        raise Absent(f"{kind} is no form that it writes")
    if job["enc"] != ENC[kind]:
        raise Absent(f"it always writes {kind} with {ENC[kind]}")
    sender = None if kind == "anon" else job["from"]
    service = messaging(job)
    if kind.startswith("forward"):
        packed = (await service.pack(job["message"], job["to"], sender)).message
    else:
        packed = await service.packaging.pack(
            service.crypto, service.resolver, service.secrets,
            json.dumps(job["message"]).encode(), [job["to"]], sender,
        )
    return {"packed": packed.decode()}


async def read(job):
    result = await messaging(job).unpack(job["packed"].encode())
    return {"message": result.message, "sender": result.sender_kid}


async def forwarded(job):
    """It has nothing for mediators; these are the steps of a program that is built on it."""
    message = (await messaging(job).unpack(job["packed"].encode())).message
    return {"next": message["body"]["next"], "packed": json.dumps(message["attachments"][0]["data"]["json"])}


serve(
    ["didcomm-messaging", "pydid"] + (["aries-askar"] if ASKAR else ["authlib", "cryptography"]),
    {"pack": pack, "unpack": read, "forwarded": forwarded},
)
