// Makes issued.json with other people's software alone: credentials as JWT of data models 1.1 and 2.0, and a status list.
//
//   npm install did-jwt-vc@4.0.16 did-jwt jose@6.2.17 @digitalbazaar/vc-bitstring-status-list@2.0.1 multiformats
//   node make.mjs
//
// Keys are fixed, ECDSA signatures are not: each time the file is another one.

import { createVerifiableCredentialJwt } from 'did-jwt-vc'
import { EdDSASigner, ES256Signer } from 'did-jwt'
import { CompactSign, importJWK } from 'jose'
import * as sl from '@digitalbazaar/vc-bitstring-status-list'
import { createPrivateKey, createPublicKey, createECDH } from 'node:crypto'
import { writeFileSync, mkdirSync } from 'node:fs'
import { base58btc } from 'multiformats/bases/base58'

const seed = Uint8Array.from({ length: 32 }, (_, i) => i + 1)
const b64 = bytes => Buffer.from(bytes).toString('base64url')
const pkcs8 = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.from(seed)])
const ed = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
const edDid = 'did:key:' + base58btc.encode(Buffer.concat([Buffer.from([0xed, 0x01]), Buffer.from(ed.x, 'base64url')]))
const ecdh = createECDH('prime256v1'); ecdh.setPrivateKey(Buffer.from(seed))
const point = ecdh.getPublicKey(null, 'compressed'), full = ecdh.getPublicKey(null, 'uncompressed')
const ecDid = 'did:key:' + base58btc.encode(Buffer.concat([Buffer.from([0x80, 0x24]), point]))
const ec = { kty: 'EC', crv: 'P-256', x: b64(full.subarray(1, 33)), y: b64(full.subarray(33)), d: b64(seed) }
const { d: _, ...ecPublic } = ec
const jwkDid = 'did:jwk:' + b64(JSON.stringify(ecPublic))
const kidOf = did => did + '#' + did.slice('did:key:'.length)
const holder = 'did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK'

const out = { cases: [] }
const from = 1767225600, until = 1798761600 // 2026-01-01, 2027-01-01
const put = (name, made, jwt, expected) => out.cases.push({ name, made, jwt, expected: { subject: holder, valid_from: from, valid_until: until, ...expected } })

// Data model 1.1 by did-jwt-vc, EdDSA and ES256.
const v1 = { sub: holder, nbf: from, exp: until, jti: 'urn:uuid:3978344f-8596-4c3a-a978-8fcaba3903c5',
  vc: { '@context': ['https://www.w3.org/2018/credentials/v1'], type: ['VerifiableCredential', 'MembershipCredential'], credentialSubject: { role: 'auditor' } } }
for (const [alg, did, signer] of [['EdDSA', edDid, EdDSASigner(seed)], ['ES256', ecDid, ES256Signer(seed)]]) {
  const jwt = await createVerifiableCredentialJwt(structuredClone(v1), { did, signer, alg, kid: kidOf(did) }, { header: { alg, typ: 'JWT', kid: kidOf(did) } })
  put(`did-jwt-vc-${alg}`, 'did-jwt-vc 4.0.16', jwt, { issuer: did, role: 'auditor', id: v1.jti })
}
const noKid = await createVerifiableCredentialJwt(structuredClone(v1), { did: edDid, signer: EdDSASigner(seed), alg: 'EdDSA' })
put('did-jwt-vc-no-kid', 'did-jwt-vc 4.0.16', noKid, { issuer: edDid, role: 'auditor', id: v1.jti })

// Data model 2.0 by jose, EdDSA and ES256, with a status entry.
const url = 'https://issuer.example/status/3'
const v2 = issuer => ({ '@context': ['https://www.w3.org/ns/credentials/v2', 'https://www.w3.org/ns/credentials/examples/v2'],
  id: 'http://university.example/credentials/3732', type: ['VerifiableCredential', 'ExampleDegreeCredential'],
  issuer, validFrom: '2026-01-01T00:00:00Z', validUntil: '2027-01-01T01:00:00+01:00',
  credentialSubject: { id: holder, degree: { type: 'ExampleBachelorDegree', name: 'Bachelor of Science and Arts' } },
  credentialStatus: { id: url + '#94567', type: 'BitstringStatusListEntry', statusPurpose: 'revocation', statusListIndex: '94567', statusListCredential: url } })
const sign = async (payload, header, jwk) => new CompactSign(Buffer.from(JSON.stringify(payload))).setProtectedHeader(header).sign(await importJWK(jwk, header.alg))
put('jose-EdDSA', 'jose 6.2.17', await sign(v2(edDid), { alg: 'EdDSA', typ: 'vc+jwt', cty: 'vc', kid: kidOf(edDid) }, ed), { issuer: edDid, id: v2('').id, status: [94567, url] })
put('jose-ES256', 'jose 6.2.17', await sign(v2({ id: jwkDid, name: 'Example University' }), { alg: 'ES256', typ: 'application/vc+jwt', kid: '#0' }, ec), { issuer: jwkDid, id: v2('').id, status: [94567, url] })

// A status list by @digitalbazaar/vc-bitstring-status-list, signed by jose.
const list = await sl.createList({ length: 131072 })
for (const index of [0, 7, 8, 94567, 131071]) list.setStatus(index, true)
const credential = await sl.createCredential({ id: url, list, statusPurpose: 'revocation' })
const listCredential = { ...credential, issuer: edDid, validFrom: '2026-01-01T00:00:00Z', validUntil: '2027-01-01T00:00:00Z' }
if (listCredential.issuanceDate) delete listCredential.issuanceDate
out.list = { made: '@digitalbazaar/vc-bitstring-status-list 2.0.1, signed by jose 6.2.17', url, issuer: edDid, set: [0, 7, 8, 94567, 131071], clear: [1, 6, 9, 94566, 94568, 131070],
  jwt: await sign(listCredential, { alg: 'EdDSA', typ: 'vc+jwt', kid: kidOf(edDid) }, ed) }
writeFileSync('issued.json', JSON.stringify(out, null, 2) + '\n')
