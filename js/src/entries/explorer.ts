import { render } from "../explorer/explorer";

export default { render };
