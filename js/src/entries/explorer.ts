import { render } from "../explorer";

export default { render };
