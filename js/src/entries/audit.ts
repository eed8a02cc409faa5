import { render } from "../audit/audit";

export default { render };
