// Judges playlists with hls-parser in strict mode: one JSON string per line in, one complaint per line out.
import { createInterface } from 'node:readline'
import { createRequire } from 'node:module'

const hls = createRequire(process.argv[2] + '/')('hls-parser')
hls.setOptions({ strictMode: true, silent: true })
let number = 0
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const playlist = hls.parse(JSON.parse(line))
    if (!playlist.isMasterPlaylist && !playlist.partTargetDuration) throw new Error('no PART-TARGET was understood')
  } catch (error) {
    console.log(`playlist ${number}: ${error.message}`)
  }
  number += 1
}
