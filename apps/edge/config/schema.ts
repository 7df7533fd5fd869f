import { type Static, Type } from '@sinclair/typebox';
import { AccountPageSettings } from './account-page.ts';
import { AlertSettings } from './alerts.ts';
import { BanSettings } from './bans.ts';
import { DetectionSettings } from './detection.ts';
import { EvidenceSettings } from './evidence.ts';
import { Export } from './exports.ts';
import { FraudSettings } from './fraud.ts';
import { HeaderFields, Methods } from './hygiene.ts';
import { IncidentSettings } from './incidents.ts';
import { LedgerSettings } from './ledger.ts';
import { MailSettings } from './mail.ts';
import { MetricsSettings } from './metrics.ts';
import { ZrtpSettings } from './zrtp.ts';

/** How much protection a peer must have: TLS for its signalling and SRTP for its media. */
export const Encryption = Type.Union(
  [Type.Literal('required'), Type.Literal('preferred'), Type.Literal('none')],
  {
    description:
      'required: TLS signalling and SRTP media or the call is refused with 488. preferred: SRTP is offered first, plain RTP taken if the peer cannot. none: plain RTP; outside loopback and private addresses this needs `dangerousPlaintext: true`.',
  },
);
export type Encryption = Static<typeof Encryption>;

/** How keys of SRTP are offered to a side. */
export const Keying = Type.Union([Type.Literal('sdes'), Type.Literal('dtls'), Type.Literal('any')], {
  description:
    'How SRTP keys are offered to this side. sdes: in SDP (`a=crypto`). dtls: by a handshake in the media itself (DTLS-SRTP), so that signalling never holds them. any: DTLS first, SDES where the peer refuses it with 488. An offer of the peer is answered in its own way; where it has both, DTLS is taken, or SDES with `sdes`. Default: that of the listener, else any over WebSockets and sdes elsewhere.',
});
export type Keying = Static<typeof Keying>;

export const IceUse = Type.Union(
  [Type.Literal('off'), Type.Literal('answer'), Type.Literal('lite'), Type.Literal('full')],
  {
    description:
      'ICE (RFC 8445) on this side. off: none. answer: where the peer offers it. lite: offered too, and the peer makes the checks; enough where the edge has an address that this side reaches. full: offered, and the edge makes checks of its own. Default: that of the listener, else lite over WebSockets and answer elsewhere.',
  },
);
export type IceUse = Static<typeof IceUse>;

export const Listener = Type.Object(
  {
    name: Type.String({
      minLength: 1,
      maxLength: 64,
      description: 'Unique name, shown in logs and records.',
    }),
    transport: Type.Union(
      [
        Type.Literal('udp'),
        Type.Literal('tcp'),
        Type.Literal('tls'),
        Type.Literal('ws'),
        Type.Literal('wss'),
      ],
      { description: 'Transport of RFC 3261 §18; `wss` and `ws` are WebSockets (RFC 7118).' },
    ),
    address: Type.String({ description: 'Local IPv4 or IPv6 address to bind; `0.0.0.0` and `::` bind all.' }),
    port: Type.Integer({ minimum: 0, maximum: 65535, description: '0 takes a free port.' }),
    publicAddress: Type.Optional(
      Type.String({
        description:
          'Address or host name written into Via and Contact, where it differs from `address` (NAT, wildcard binds).',
      }),
    ),
    encryption: Type.Optional(Encryption),
    dangerousPlaintext: Type.Optional(
      Type.Boolean({
        description:
          'Allows `encryption: none` or `preferred` on an address that is neither loopback nor private.',
      }),
    ),
    keying: Type.Optional(Keying),
    ice: Type.Optional(IceUse),
    methods: Type.Optional(Methods),
    headers: Type.Optional(HeaderFields),
    clientCertificate: Type.Optional(
      Type.Union([Type.Literal('none'), Type.Literal('optional'), Type.Literal('required')], {
        default: 'none',
        description: 'TLS client certificates: not asked for, verified if sent, or demanded.',
      }),
    ),
    origins: Type.Optional(
      Type.Array(Type.String(), {
        description:
          'Origins whose pages may open WebSockets here, such as `https://phone.example.com`; default: none. Phones that are no browsers send no origin and are not asked for one.',
      }),
    ),
    phonePage: Type.Optional(
      Type.Boolean({
        default: false,
        description:
          'Serves the phone page at `https://…/phone` on this port, and lets its WebSockets in; `wss` only.',
      }),
    ),
    accountPage: Type.Optional(
      Type.Boolean({
        description:
          'Serves the page where users confirm their phones at `https://…/account` on this port; `wss` only. Default: as `phonePage`.',
      }),
    ),
  },
  { additionalProperties: false },
);
export type Listener = Static<typeof Listener>;

/** `ringfence.yaml`: what one node is. The one source of types, defaults, validation, JSON Schema and reference page. */
export const Configuration = Type.Object(
  {
    domain: Type.String({
      default: 'ringfence.local',
      description:
        'SIP domain of users that name none; also the digest realm. Requests addressed to one of our own addresses are taken as addressed to it.',
    }),
    listeners: Type.Array(Listener, {
      description: 'Where SIP is received.',
      default: [
        { name: 'phones', transport: 'tls', address: '0.0.0.0', port: 5061, encryption: 'required' },
        { name: 'phones6', transport: 'tls', address: '::', port: 5061, encryption: 'required' },
        { name: 'inside', transport: 'udp', address: '127.0.0.1', port: 5060, encryption: 'preferred' },
        { name: 'inside-tcp', transport: 'tcp', address: '127.0.0.1', port: 5060, encryption: 'preferred' },
      ],
    }),
    tls: Type.Object(
      {
        certificate: Type.Optional(
          Type.String({
            description: 'PEM file with the chain; default: issued by the local CA in the data folder.',
          }),
        ),
        key: Type.Optional(Type.String({ description: 'PEM file with the private key.' })),
        domains: Type.Optional(
          Type.Array(
            Type.Object(
              {
                domain: Type.String({ description: 'SIP domain (tenant) that phones connect to by name.' }),
                certificate: Type.String({
                  description: 'PEM file with the chain; it must name the domain.',
                }),
                key: Type.String({ description: 'PEM file with the private key.' }),
              },
              { additionalProperties: false },
            ),
            {
              description:
                'Certificates of domains, shown to whoever asks for the domain by name (SNI, RFC 6066); all others get the one above. Read again on SIGHUP.',
            },
          ),
        ),
        clientAuthorities: Type.Optional(
          Type.Array(Type.String(), {
            description:
              "PEM files with CAs that peers' certificates are verified against; the local CA always counts.",
          }),
        ),
        trustSystemAuthorities: Type.Boolean({
          default: true,
          description: 'Outbound TLS also accepts the well-known CAs.',
        }),
        minimumVersion: Type.Union([Type.Literal('TLSv1.2'), Type.Literal('TLSv1.3')], {
          default: 'TLSv1.2',
          description: 'The floor.',
        }),
        groups: Type.String({
          default: 'X25519MLKEM768:X25519:P-256:P-384',
          description: 'Key exchange groups, most wanted first.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    media: Type.Object(
      {
        engine: Type.Union([Type.Literal('relay'), Type.Literal('rtpengine')], {
          default: 'relay',
          description:
            'relay: our own media process on this machine. rtpengine: the instances of `media.rtpengine`, on this machine or others; ports, threads and user are then theirs.',
        }),
        rtpengine: Type.Array(
          Type.Object(
            {
              address: Type.String({ description: 'IP address of its ng control port.' }),
              port: Type.Integer({ minimum: 1, maximum: 65535, default: 2223 }),
              weight: Type.Integer({
                minimum: 0,
                maximum: 1000,
                default: 1,
                description: 'Share of new calls among the instances that answer; 0 takes none.',
              }),
              outside: Type.Optional(
                Type.String({
                  description: 'Name of its interface towards phones and trunks, where it has several.',
                }),
              ),
              inside: Type.Optional(
                Type.String({
                  description:
                    'Name of its interface on which the two sides of a call are joined, best one on 127.0.0.1. Needs `outside`.',
                }),
              ),
              dangerousClearControl: Type.Optional(
                Type.Boolean({
                  description:
                    'Needed for an address that is not loopback: ng has no encryption, and whoever sees its datagrams has the keys of all SRTP.',
                }),
              ),
            },
            { additionalProperties: false },
          ),
          { default: [], description: 'Control ports of rtpengine, for `engine: rtpengine`.' },
        ),
        addresses: Type.Array(Type.String(), {
          default: [],
          description:
            'Local IP addresses for media; empty: the address of the listener, or of the interface that reaches the peer.',
        }),
        publicAddress: Type.Optional(
          Type.String({ description: 'Address written into SDP, where it differs (NAT).' }),
        ),
        ports: Type.Object(
          {
            from: Type.Integer({ minimum: 1024, maximum: 65534, default: 20000 }),
            to: Type.Integer({ minimum: 1025, maximum: 65535, default: 39999 }),
          },
          { additionalProperties: false, default: {} },
        ),
        threads: Type.Integer({ minimum: 0, maximum: 64, default: 0, description: '0: one per core.' }),
        bridgeDigits: Type.Boolean({
          default: false,
          description:
            'Offers RFC 4733 events to a side even where the other has none, and turns pressed keys from events into INFO and from INFO into events for whoever lacks the other. Our own media process only.',
        }),
        zrtp: ZrtpSettings,
        rtcp: Type.Union([Type.Literal('end'), Type.Literal('relay')], {
          default: 'end',
          description:
            'end: reports (RTCP) of each side end at the edge, which makes its own for each leg, of what that leg saw; only feedback and BYE go on. relay: they go on as they come, with the names and addresses in them.',
        }),
        dscp: Type.Integer({
          minimum: 0,
          maximum: 63,
          default: 46,
          description: 'DSCP code point of RTP; 46 is EF.',
        }),
        user: Type.String({
          default: 'nobody',
          description: 'User that the media process becomes when started as root.',
        }),
        graceSeconds: Type.Integer({
          minimum: 0,
          maximum: 3600,
          default: 60,
          description:
            'How long the media of answered calls flows on when the edge process has died; started again within this time, it goes on with them.',
        }),
        silenceSeconds: Type.Integer({
          minimum: 2,
          maximum: 3600,
          default: 10,
          description: 'After how long a silent direction is reported as one-way audio.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    registrar: Type.Object(
      {
        minimumExpires: Type.Integer({
          minimum: 10,
          default: 60,
          description: 'Seconds; shorter is refused with 423.',
        }),
        maximumExpires: Type.Integer({
          minimum: 60,
          default: 3600,
          description: 'Seconds; longer is shortened.',
        }),
        maximumContacts: Type.Integer({ minimum: 1, maximum: 64, default: 8, description: 'Per user.' }),
        nonceSeconds: Type.Integer({ minimum: 5, default: 300, description: 'Life of a digest nonce.' }),
        trustedProxies: Type.Array(Type.String(), {
          default: [],
          description:
            'Addresses and CIDR blocks of proxies whose Path (RFC 3327) is followed to the phones that register through them; the Path of others is passed over.',
        }),
        serviceRoute: Type.Boolean({
          default: false,
          description:
            'Tells phones to send all requests to the listener that they have registered with (Service-Route, RFC 3608).',
        }),
        flowSeconds: Type.Integer({
          minimum: 15,
          maximum: 3600,
          default: 120,
          description:
            'Phones that do RFC 5626 or RFC 6223 are asked for a keepalive within so long (Flow-Timer; 29 s at most over UDP). A connection that stays silent 30 s longer is closed, and the phone is reached over its next one.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    numbers: Type.Object(
      {
        country: Type.String({
          default: 'US',
          minLength: 2,
          maxLength: 2,
          description: 'ISO 3166 country whose dialling rules numbers without + follow.',
        }),
        emergency: Type.Array(Type.String(), {
          default: ['112', '911', '933', '999', '110', '118', '119', '000'],
          description: 'Numbers that go first, whatever else says no.',
        }),
        emergencyTrunk: Type.Optional(
          Type.String({ description: 'Trunk for emergency calls; default: the first trunk.' }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    calls: Type.Object(
      {
        ringSeconds: Type.Integer({
          minimum: 5,
          maximum: 600,
          default: 180,
          description: 'How long a call may ring (Timer C, RFC 3261 §16.6).',
        }),
        maximum: Type.Integer({
          minimum: 1,
          default: 20000,
          description: 'Calls at once; more get 503 with Retry-After.',
        }),
        maximumForks: Type.Integer({
          minimum: 1,
          maximum: 32,
          default: 8,
          description: 'Phones of one user rung at once.',
        }),
        maximumForwards: Type.Integer({
          minimum: 1,
          maximum: 100,
          default: 10,
          description:
            'Forwardings of a call, by phones here and as a trusted trunk tells of them (Diversion, History-Info); more are a loop and get 482.',
        }),
        trustedHeaders: Type.Array(Type.String(), {
          default: [],
          description:
            'Header fields copied from a trusted trunk to a trusted trunk (`trusted: true`), such as `P-Charging-Vector` (RFC 7315); to nobody else.',
        }),
        transfer: Type.Union([Type.Literal('edge'), Type.Literal('pass'), Type.Literal('refuse')], {
          default: 'edge',
          description:
            'REFER within a call. edge: the edge places the call itself, by the rights of who transfers, and joins the remaining party by re-INVITE. pass: the other party is asked to place it. refuse: 403.',
        }),
        forwarding: Type.Union([Type.Literal('edge'), Type.Literal('refuse')], {
          default: 'edge',
          description:
            'A called phone answers 300, 301 or 302. edge: the call goes on to where it says, by the rights and limits of its user, at most `maximumForwards` times. refuse: the caller hears 480.',
        }),
        pickup: Type.Union([Type.Literal('own'), Type.Literal('tenant'), Type.Literal('refuse')], {
          default: 'own',
          description:
            'INVITE with Replaces, which takes the place of a party in a call. own: of the same user (or trunk), or where that party has asked for it by REFER. tenant: of anybody in the tenant. refuse: 403. Never across tenants.',
        }),
        pickupCode: Type.String({
          pattern: '^[*#0-9]{0,8}$',
          default: '*8',
          description:
            'What a phone dials to take a call that rings elsewhere: alone, or with the name or number of whom it rings for (`*8bob`). Who may is said by `pickup`. Empty: nothing. Not in domains with a PBX, which has codes of its own.',
        }),
        onTampering: Type.Union([Type.Literal('tell'), Type.Literal('end')], {
          default: 'tell',
          description:
            'What looks as if somebody were in the middle of a call: a party that always encrypted does not any more, a certificate of it that was steady has changed. tell: an event `call.tampering`, and the new is trusted from then on. end: the event, and the call ends, until the edge is restarted. Emergency calls go on.',
        }),
        sessionExpires: Type.Integer({
          minimum: 0,
          maximum: 86400,
          default: 1800,
          description:
            'Seconds after which a call whose peer says nothing is given up; it is refreshed at half of it (RFC 4028). 0: none is asked for.',
        }),
        minimumSessionExpires: Type.Integer({
          minimum: 90,
          maximum: 86400,
          default: 90,
          description: 'Seconds; peers that ask for less get 422 with Min-SE.',
        }),
        allowedHeaders: Type.Array(Type.String(), {
          default: ['Subject', 'Priority', 'Accept-Language', 'Organization'],
          description: 'Header fields copied from one side to the other; nothing else is.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    patches: Type.Object(
      {
        enabled: Type.Boolean({
          default: true,
          description:
            'Refuses requests that would use a known hole of a PBX or trunk behind the edge (docs/patches.md). Emergency calls pass.',
        }),
        off: Type.Array(Type.String({ pattern: '^RF-[0-9]{4}-[0-9]{2}$' }), {
          default: [],
          maxItems: 100,
          description: 'Patches that are not used, such as `RF-2020-01`.',
        }),
        on: Type.Array(Type.String({ pattern: '^RF-[0-9]{4}-[0-9]{2}$' }), {
          default: [],
          maxItems: 100,
          description: 'Patches that are used whatever is behind the edge.',
        }),
        file: Type.Optional(
          Type.String({
            minLength: 1,
            description:
              'A newer set than the one that was installed, with its signature in a file of the same name and `.sig`.',
          }),
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    messages: Type.Object(
      {
        enabled: Type.Boolean({
          default: true,
          description: 'MESSAGE between the users of a tenant, and with trunks that have `messages: true`.',
        }),
        bytes: Type.Integer({
          minimum: 1,
          maximum: 8192,
          default: 1300,
          description: 'Longest body; RFC 3428 §8 wants no more than 1300.',
        }),
        perMinute: Type.Integer({
          minimum: 1,
          maximum: 100_000,
          default: 60,
          description: 'Messages of one sender (device or trunk) in a minute; more get 503.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    admission: Type.Object(
      {
        messageBytes: Type.Integer({
          minimum: 1024,
          maximum: 65535,
          default: 16384,
          description: 'Largest SIP message.',
        }),
        perSourcePerSecond: Type.Integer({
          minimum: 1,
          default: 100,
          description:
            'Messages per second of one unknown source; trunks and registered phones have ten times as much, loopback no limit.',
        }),
        perNetworkPerSecond: Type.Integer({
          minimum: 1,
          default: 500,
          description:
            'Messages per second of all sources of one network that are not trusted (IPv4: /24, IPv6: /48).',
        }),
        perMethodPerSecond: Type.Integer({
          minimum: 1,
          default: 3000,
          description:
            'Requests of one method per second, of all sources that are not trusted: a flood of OPTIONS leaves room for REGISTER.',
        }),
        perListenerPerSecond: Type.Integer({
          minimum: 1,
          default: 4000,
          description: 'Messages per second that one listener takes from sources that are not trusted.',
        }),
        unknownPerSecond: Type.Integer({
          minimum: 1,
          default: 5000,
          description:
            'Messages per second of all unknown sources together; sources that have shown that they read what is sent to them (probation) have as many of their own.',
        }),
        busyPercent: Type.Integer({
          minimum: 50,
          maximum: 100,
          default: 95,
          description:
            'Overload: where the process works for more of the time, or is late by `lateMilliseconds`, the least trusted are heard no more, one level after the other; phones and trunks get 503 with Retry-After at last, emergency calls go on.',
        }),
        lateMilliseconds: Type.Integer({
          minimum: 10,
          maximum: 5000,
          default: 100,
          description: 'Overload: how late timers of the process may be.',
        }),
        connectionsPerSource: Type.Integer({
          minimum: 1,
          default: 64,
          description: 'TCP and TLS connections of one address (IPv6: /64).',
        }),
        connections: Type.Integer({
          minimum: 1,
          default: 30000,
          description: 'TCP and TLS connections in all.',
        }),
        idleSeconds: Type.Integer({
          minimum: 5,
          default: 900,
          description: 'Connections without a registration are closed when silent for so long.',
        }),
        firstMessageSeconds: Type.Integer({
          minimum: 1,
          default: 30,
          description: 'A connection must have brought its first SIP message in this time.',
        }),
        messageSeconds: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'A begun message must be complete in this time.',
        }),
        handshakeSeconds: Type.Integer({
          minimum: 1,
          default: 10,
          description: 'A TLS handshake must be complete in this time.',
        }),
        blockedUserAgents: Type.Array(Type.String(), {
          default: [
            'friendly-scanner',
            'sipvicious',
            'sipcli',
            'sip-scan',
            'sipsak',
            'sundayddr',
            'iWar',
            'VaxSIPUserAgent',
            'pplsip',
          ],
          description: 'Requests whose User-Agent contains one of these are dropped without answer.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    accountPage: AccountPageSettings,
    bans: BanSettings,
    detection: DetectionSettings,
    fraud: FraudSettings,
    incidents: IncidentSettings,
    evidence: EvidenceSettings,
    sounds: Type.Object(
      {
        holdMusic: Type.Optional(
          Type.String({
            description:
              'WAV or Ogg Opus file, relative to this file: heard by whoever is put on hold. Default: they hear what the holding phone sends.',
          }),
        ),
        refused: Type.Object(
          {
            policy: Type.Optional(
              Type.String({ description: 'Heard where a rule forbids the call, before its refusal.' }),
            ),
            fraud: Type.Optional(
              Type.String({
                description:
                  'Heard where a destination is closed or a spending cap is reached, before the refusal.',
              }),
            ),
            'no-route': Type.Optional(
              Type.String({ description: 'Heard where nobody fits the number, or the user has no phone.' }),
            ),
            rate: Type.Optional(
              Type.String({ description: 'Heard where a limit of calls is reached, before its refusal.' }),
            ),
          },
          {
            additionalProperties: false,
            default: {},
            description:
              'Files that callers hear as early media, up to a minute, before their call is refused for that cause. Known phones and trunks alone; 50 at once.',
          },
        ),
      },
      { additionalProperties: false, default: {} },
    ),
    store: Type.Object(
      {
        file: Type.String({
          default: 'ringfence.db',
          description: 'SQLite database, relative to the data folder.',
        }),
        commitMilliseconds: Type.Integer({
          minimum: 1,
          maximum: 1000,
          default: 10,
          description:
            'Registrations are gathered for so long into one commit; a phone is answered after it.',
        }),
        callCommitMilliseconds: Type.Integer({
          minimum: 1,
          maximum: 10000,
          default: 100,
          description:
            'Call records are gathered for so long into one commit. The answer to a BYE waits for it, at most 200 ms, so that an acknowledged call is on disk.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    ledger: LedgerSettings,
    shutdown: Type.Object(
      {
        drainSeconds: Type.Integer({
          minimum: 0,
          maximum: 86400,
          default: 30,
          description: 'How long live calls may go on after SIGTERM.',
        }),
      },
      { additionalProperties: false, default: {} },
    ),
    metrics: MetricsSettings,
    alerts: AlertSettings,
    exports: Type.Array(Export, {
      default: [],
      maxItems: 16,
      description: 'Receivers of the event stream, see [monitoring](monitoring.md).',
    }),
    mail: MailSettings,
    log: Type.Object(
      {
        format: Type.Union([Type.Literal('auto'), Type.Literal('text'), Type.Literal('json')], {
          default: 'auto',
          description: 'auto: text on a terminal, JSON lines elsewhere.',
        }),
        level: Type.Union(
          [
            Type.Literal('error'),
            Type.Literal('warning'),
            Type.Literal('notice'),
            Type.Literal('info'),
            Type.Literal('debug'),
          ],
          { default: 'info', description: 'Least severe event written.' },
        ),
      },
      { additionalProperties: false, default: {} },
    ),
  },
  { additionalProperties: false },
);
export type Configuration = Static<typeof Configuration>;
