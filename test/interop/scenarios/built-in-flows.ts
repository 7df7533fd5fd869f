/** The scenarios that are built into sipp (`-sn`), as Debian packages it, through the edge. */
import { spawnSync } from 'node:child_process';
import { existsSync, symlinkSync } from 'node:fs';
import { expect } from '../harness/case.ts';
import { freePort } from '../harness/ports.ts';
import { until } from '../harness/process.ts';
import type { Flow } from '../harness/stage.ts';
import { answer, describe, expectInvite, expectRequest, goodbye, refusedWith, request } from './steps.ts';
import { leftRight, trunkAt } from './trunk-flows.ts';

const captures = '/usr/share/sip-tester';
const dialled = ['-s', '+12025550123'];

/** Callers that differ in what they do with the answer; `uas` answers. */
const withUas = (builtIn: string): Flow => ({
  name: `sn-${builtIn}`,
  what: `sipp -sn ${builtIn} calls sipp -sn uas, five calls`,
  objects: leftRight,
  play: async (scene, { a, b }) => {
    await scene.party('uas', { at: b, builtIn: 'uas', called: true, calls: 5 });
    await scene.party(builtIn, { at: a, builtIn, calls: 5, talkMs: 300, extra: dialled });
    await scene.ended(builtIn);
    return '5 calls to their end on both sides';
  },
});

/** Its pattern for `o=` knows no `-`, which is what stands there where there are no users (RFC 8866 §5.2). */
const regexp: Flow = {
  name: 'sn-regexp',
  what: 'sipp -sn regexp, its pattern for o= taught the `-` of RFC 8866, calls sipp -sn uas',
  objects: leftRight,
  play: async (scene, { a, b }) => {
    const dumped = spawnSync('sipp', ['-sd', 'regexp'], { encoding: 'utf8' }).stdout;
    const taught = dumped.replace('o=([[:alnum:]]*)', 'o=([[:alnum:]-]*)');
    expect(taught !== dumped, 'the scenario of this sipp is another');
    await scene.party('uas', { at: b, builtIn: 'uas', called: true, calls: 5 });
    await scene.party('regexp', { at: a, text: taught, calls: 5, extra: dialled });
    await scene.ended('regexp');
    return '5 calls to their end on both sides; address, Contact and o= found where it looks for them';
  },
};

const pcap: Flow = {
  name: 'sn-uac-pcap',
  what: 'sipp -sn uac_pcap sends the packaged captures: G.711 A-law, then the key 1 as RFC 4733',
  objects: leftRight,
  play: async (scene, { a, b }) => {
    expect(existsSync(`${captures}/g711a.pcap`), `no captures in ${captures}`);
    symlinkSync(captures, scene.context.workspace.path('pcap'));
    await scene.party('called', {
      at: b,
      called: true,
      steps: [
        expectInvite(),
        answer('200 OK', { invite: true, body: describe(1, { codecs: ['PCMA'] }) }),
        expectRequest('ACK'),
        ...goodbye,
      ],
    });
    await scene.party('uac_pcap', { at: a, builtIn: 'uac_pcap', extra: dialled });
    await scene.ended('uac_pcap');
    const { others } = scene.end('called');
    const count = (type: number) => others.filter((packet) => (packet[1]! & 127) === type).length;
    const keys = others.filter((packet) => (packet[1]! & 127) === 101);
    expect(count(8) > 200, `${count(8)} packets of voice`);
    expect(
      keys.length > 0 && keys.every((packet) => packet[12] === 1),
      `${keys.length} packets of the key 1`,
    );
    return `${count(8)} packets of A-law and ${keys.length} of the key 1 arrived`;
  },
};

/** RFC 3725: a controller calls both without an offer of its own; each of its calls passes the edge. */
const thirdParty: Flow = {
  name: 'sn-3pcc',
  what: 'sipp -sn 3pcc-C-A, 3pcc-C-B, 3pcc-A, 3pcc-B: third party call control (RFC 3725)',
  objects: ({ a, b, c }) => ({
    trunks: [trunkAt('controller', c), trunkAt('one', a), trunkAt('other', b)],
    routes: [
      { match: '+1*', from: 'any', to: { trunk: 'one' } },
      { match: '+33*', from: 'any', to: { trunk: 'other' } },
    ],
  }),
  play: async (scene, { a, b, c }) => {
    const twin = ['-3pcc', `${c.address}:${await freePort(c.address)}`];
    await scene.party('3pcc-A', { at: a, builtIn: '3pcc-A', called: true, calls: 3 });
    await scene.party('3pcc-B', { at: b, builtIn: '3pcc-B', called: true, calls: 3 });
    await scene.party('3pcc-C-B', {
      at: { ...c, port: c.port + 2 },
      builtIn: '3pcc-C-B',
      calls: 3,
      extra: ['-s', '+33155512345', ...twin],
    });
    await new Promise((resolve) => setTimeout(resolve, 400));
    await scene.party('3pcc-C-A', { at: c, builtIn: '3pcc-C-A', calls: 3, extra: [...dialled, ...twin] });
    await scene.ended('3pcc-C-A');
    return 'three calls to their end at all four';
  },
};

/**
 * branchc registers without credentials and without Max-Forwards, at a domain that is nobody's here; branchs tells
 * REGISTER and INVITE apart by their order in one Call-ID, which no B2BUA hands through.
 */
const branch: Flow = {
  name: 'sn-branchc',
  what: 'sipp -sn branchc registers at a foreign domain without credentials: branchs hears nothing of it',
  objects: leftRight,
  play: async (scene, { a, b, c }) => {
    await scene.party('branchs', { at: b, builtIn: 'branchs', called: true, endless: true });
    await scene.party('branchc', { at: c, builtIn: 'branchc', endless: true, extra: ['-m', '1'] });
    // Sent, and sent again since nothing comes of it.
    await until('REGISTER twice', 8_000, () =>
      scene.messages('branchc').split('REGISTER sip:').length > 2 ? true : null,
    );
    // The edge is there, and answers those that it knows.
    await scene.party('known', {
      at: a,
      steps: [
        request('INVITE', 1, { body: describe(1) }).replace('Max-Forwards: 70', 'Max-Forwards: 0'),
        ...refusedWith(483, 1),
      ],
    });
    await scene.ended('known');
    expect(!/^SIP\/2.0 2/m.test(scene.messages('branchc')), 'it was let in');
    expect(scene.messages('branchs') === '', 'branchs has heard of it');
    return 'not let in, and nothing of it passed on';
  },
};

export const builtInFlows: readonly Flow[] = [withUas('uac'), regexp, pcap, thirdParty, branch];
