// What a recorder built on the npm package "onvif" finds at HOST PORT USER (password on standard input), as JSON.
"use strict";
const { readFileSync } = require("node:fs");
const { Cam } = require("onvif");

const [, , hostname, port, username] = process.argv;
const password = readFileSync(0, "utf8").split("\n")[0];
const cam = new Cam({ hostname, port: Number(port), username, password, timeout: 5000, autoconnect: false });

function die(error) {
  console.error(error.message);
  process.exit(1);
}

cam.connect((error) => {
  if (error) die(error);
  cam.getDeviceInformation((failed, information) => {
    if (failed) die(failed);
    cam.getStreamUri({ protocol: "RTSP", profileToken: "front" }, (refused, stream) => {
      if (refused) die(refused);
      cam.on("event", (message) => {
        const names = cam.profiles.map((profile) => profile.name);
        console.log(JSON.stringify({ serial: information.serialNumber, names, stream: stream.uri, topic: message.topic._ }));
        process.exit(0);
      });
    });
  });
});
