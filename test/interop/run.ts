/**
 * Other people's software as peers of the edge, with real audio: one table with a row a case.
 *
 *     npm run interop -- [--only NAME] [--json] [--peers-only]
 */
import { cases as accountPage } from './account-page.ts';
import { cases as adversaries } from './adversaries.ts';
import { cases as baresip } from './baresip.ts';
import { cases as chromium } from './chromium.ts';
import { runCases } from './harness/run-cases.ts';
import { cases as ice } from './ice.ts';
import { cases as kamailio } from './kamailio.ts';
import { cases as kamailioPbx } from './kamailio-pbx.ts';
import { cases as kamailioProvider } from './kamailio-provider.ts';
import { cases as linphone } from './linphone.ts';
import { cases as nat } from './nat.ts';
import { cases as roam } from './roam.ts';
import { cases as rtpengine } from './rtpengine.ts';
import { cases as sipp } from './sipp.ts';
import { cases as sippFlows } from './sipp-flows.ts';
import { cases as sippts } from './sippts.ts';
import { cases as transfer } from './transfer.ts';
import { cases as tshark } from './tshark.ts';
import { cases as zrtp } from './zrtp.ts';

await runCases([
  ...sipp,
  ...sippFlows,
  ...baresip,
  ...chromium,
  ...accountPage,
  ...linphone,
  ...nat,
  ...roam,
  ...ice,
  ...kamailio,
  ...kamailioPbx,
  ...kamailioProvider,
  ...transfer,
  ...rtpengine,
  ...tshark,
  ...zrtp,
  ...adversaries,
  ...sippts,
]);
