"""The package `didcomm` of SICPA."""

import json

from didcomm.common.algorithms import AnonCryptAlg
from didcomm.common.resolvers import ResolversConfig
from didcomm.common.types import VerificationMaterial, VerificationMaterialFormat, VerificationMethodType
from didcomm.did_doc.did_doc import DIDDoc
from didcomm.did_doc.did_resolver_in_memory import DIDResolverInMemory
from didcomm.message import Message
from didcomm.pack_encrypted import PackEncryptedConfig, pack_encrypted
from didcomm.pack_plaintext import pack_plaintext
from didcomm.pack_signed import pack_signed
from didcomm.protocols.routing.forward import unpack_forward
from didcomm.secrets.secrets_resolver import Secret
from didcomm.secrets.secrets_resolver_in_memory import SecretsResolverInMemory
from didcomm.unpack import UnpackConfig, unpack

from lines import serve

ANON = {alg.value.enc: alg for alg in AnonCryptAlg}


def resolvers(job):
    secrets = [
        Secret(
            kid=secret["kid"],
            type=VerificationMethodType.JSON_WEB_KEY_2020,
            verification_material=VerificationMaterial(
                format=VerificationMaterialFormat.JWK, value=json.dumps(secret["jwk"])
            ),
        )
        for secret in job["secrets"]
    ]
    documents = [DIDDoc.deserialize(with_old_services(document)) for document in job["documents"]]
    return ResolversConfig(SecretsResolverInMemory(secrets), DIDResolverInMemory(documents))


def with_old_services(document):
    """It finds services only in the form of drafts before version 2.0: all members beside a `serviceEndpoint` that is text."""
    services = []
    for service in document["service"]:
        endpoint = dict(service["serviceEndpoint"])
        services.append({
            "id": service["id"],
            "type": service["type"],
            "serviceEndpoint": endpoint.pop("uri"),
            "recipientKeys": [],
            **endpoint,
        })
    return {**document, "service": services}


async def pack(job):
    with_keys, kind = resolvers(job), job["kind"]
    message = Message.from_dict(job["message"])
    if kind == "plain":
        return {"packed": (await pack_plaintext(with_keys, message)).packed_msg}
    if kind == "sign":
        return {"packed": (await pack_signed(with_keys, message, job["sign_by"])).packed_msg}
    config = PackEncryptedConfig(
        enc_alg_anon=ANON[job["enc"]],
        protect_sender_id=kind == "anon(auth)",
        forward=kind.startswith("forward"),
    )
    sender = None if kind in ("anon", "anon(sign)") else job["from"]
    result = await pack_encrypted(with_keys, message, job["to"], sender, job["sign_by"], config)
    return {"packed": result.packed_msg}


async def read(job):
    config = UnpackConfig(unwrap_re_wrapping_forward=False)
    result = await unpack(resolvers(job), job["packed"], config)
    metadata = result.metadata
    return {
        "message": result.message.as_dict(),
        "sender": metadata.encrypted_from,
        "signer": metadata.sign_from,
    }


async def forwarded(job):
    result = await unpack_forward(resolvers(job), job["packed"], False)
    return {"next": result.forward_msg.body.next, "packed": json.dumps(result.forwarded_msg)}


serve(
    ["didcomm", "authlib", "cryptography", "pydid"],
    {"pack": pack, "unpack": read, "forwarded": forwarded},
)
