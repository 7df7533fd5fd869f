/** How a trunk is named in events and records. */
export const ownerOf = ({ name, domain }: { readonly name: string; readonly domain: string }): string =>
  `trunk:${name}@${domain}`;
