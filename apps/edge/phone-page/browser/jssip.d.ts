/** What the script /phone/jssip.js leaves on the page's global object. */
declare const JsSIP: typeof import('jssip');
declare const JsSIPDigest: import('./digest.ts').DigestClass;
declare const JsSIPMessages: { readonly IncomingResponse: import('./digest.ts').ResponseClass };
