/** A token, or user and password, of the page's own address, for everything the page fetches. Pure. */

const NAMES = ["token", "user", "pass"];

/** What a query (with or without `?`) holds of them. @returns {URLSearchParams} */
export function credentialsOf(search) {
  const given = new URLSearchParams(search);
  return new URLSearchParams(NAMES.filter((name) => given.get(name)).map((name) => [name, given.get(name)]));
}

/** `path` with the credentials in its query. */
export function withCredentials(path, credentials) {
  const query = credentials.toString();
  return query ? `${path}${path.includes("?") ? "&" : "?"}${query}` : path;
}
