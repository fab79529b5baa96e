import assert from "node:assert/strict";
import { test } from "node:test";
import { cameraAddresses } from "../../../web/static/js/addresses.js";
import { credentialsOf, withCredentials } from "../../../web/static/js/watch-credentials.js";

const CAMERA = {
  id: "gate", name: 'Gate "A" & <B>',
  urls: { hls: "/hls/gate/index.m3u8", rtmp: "rtmp://box/live/gate", hls_sub: "/hls/gate.sub/index.m3u8", rtmp_sub: "rtmp://box/live/gate.sub" },
};
const ORIGIN = "https://box:8443";

test("addresses begin with the name by which this browser reached the gateway", () => {
  const found = Object.fromEntries(cameraAddresses(CAMERA, ORIGIN).map(({ kind, text }) => [kind, text]));
  assert.equal(found.watch, "https://box:8443/watch/gate");
  assert.equal(found.hls, "https://box:8443/hls/gate/index.m3u8");
  assert.equal(found.rtmp, "rtmp://box/live/gate");
  assert.equal(found.rtsp, undefined, "what the gateway does not serve is not offered");
});

test("the small stream and the token go into all of them", () => {
  for (const { text } of cameraAddresses(CAMERA, ORIGIN, { sub: true, token: "a/b" })) {
    assert.match(text, /gate\.sub/);
    assert.match(text, /token=a%2Fb/);
  }
});

test("a camera's name cannot break out of the code for a web site", () => {
  const { text } = cameraAddresses(CAMERA, ORIGIN).find(({ kind }) => kind === "embed");
  assert.match(text, /title="Gate &quot;A&quot; &amp; &lt;B>"/);
});

test("a page hands on the credentials of its own address and nothing else", () => {
  const given = credentialsOf("?token=a%2Fb&x=1&pass=");
  assert.equal(given.toString(), "token=a%2Fb");
  assert.equal(withCredentials("/hls/gate/index.m3u8", given), "/hls/gate/index.m3u8?token=a%2Fb");
  assert.equal(withCredentials("/x?y=1", given), "/x?y=1&token=a%2Fb");
  assert.equal(withCredentials("/x", credentialsOf("")), "/x");
});
