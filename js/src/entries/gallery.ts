import { render } from "../gallery";

export default { render };
